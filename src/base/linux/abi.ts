/**
 * Numbers of the Linux ABI as its headers name them. They are the same on x86-64 and arm64 (asm-generic)
 * except where a table says so; other architectures are refused by probe.ts.
 */

// include/uapi/asm-generic/errno-base.h and errno.h
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOMEM = 12;
export const EBUSY = 16;
export const EINVAL = 22;
export const ETIME = 62;
export const EMSGSIZE = 90;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EINPROGRESS = 115;
export const ECANCELED = 125;

// include/linux/socket.h, include/uapi/asm-generic/socket.h, include/linux/net.h
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_REUSEPORT = 15;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;

// include/uapi/linux/in.h, tcp.h
export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const TCP_NODELAY = 1;
export const TCP_CONGESTION = 13;

// include/linux/socket.h, include/uapi/linux/udp.h
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

// include/uapi/linux/eventpoll.h
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000;

// include/uapi/linux/eventfd.h
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

// include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h, fs/splice.c
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const F_SETPIPE_SZ = 1031;
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;

// include/uapi/asm-generic/mman-common.h, include/uapi/linux/mman.h
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_ANONYMOUS = 0x20;
export const MAP_POPULATE = 0x8000;
export const MADV_DONTNEED = 4;

/**
 * struct epoll_event { __poll_t events; __u64 data; }, in 32-bit words. Packed on x86-64 only
 * (EPOLL_PACKED in eventpoll.h).
 */
export const EPOLL_EVENT: { readonly words: number; readonly data: number } =
  process.arch === 'x64' ? { words: 3, data: 1 } : { words: 4, data: 2 };

/**
 * struct sockaddr_in (include/uapi/linux/in.h): family 0, port 2 (network order), address 4, 16 bytes in all.
 * struct sockaddr_in6 (in6.h): family 0, port 2, flow information 4, address 8, scope 24, 28 bytes in all.
 */
export const SOCKADDR = { port: 2, v4Address: 4, v4Bytes: 16, v6Address: 8, v6Bytes: 28 } as const;
