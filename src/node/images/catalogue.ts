import { agnhost } from './agnhost-image.ts';
import { coredns } from './coredns-image.ts';
import { httpOn, httpOnDeclaredPorts } from './http-image.ts';
import { idle } from './idle-image.ts';
import type { BuiltinImage } from './image.ts';
import { redis } from './redis-image.ts';

/** Image repository base name → what podwire runs in its place. */
export const BUILTIN_IMAGES: Readonly<Record<string, BuiltinImage>> = {
  whoami: httpOn(80),
  echo: httpOn(8080),
  'node-hello': httpOn(8080),
  nginx: httpOn(80),
  httpd: httpOn(80),
  tomcat: httpOn(8080),
  'guestbook-php-frontend': httpOn(80),
  agnhost,
  coredns,
  redis,
  'redis-master': redis,
  'guestbook-redis-slave': redis,
  busybox: idle,
  pause: idle,
};

/** Runs in place of every image that is not in the catalogue. */
export const FALLBACK_IMAGE: BuiltinImage = httpOnDeclaredPorts;

/** `registry:443/path/name:tag@digest` → `name`. */
export function imageBaseName(image: string): string {
  const [withoutDigest = ''] = image.split('@');
  const last = withoutDigest.slice(withoutDigest.lastIndexOf('/') + 1);
  return last.split(':')[0] ?? '';
}
