import { DARK_COLOURS, LIGHT_SERIES, PLOT_STYLE } from './plots/svg.ts';

/** Light by default, dark where the reader's system is, light again on paper. */
export const PAGE_STYLE: string = `
:root{--paper:#fff;--ink:#1c1e21;--muted:#5d646c;--grid:#e3e6e9;--card:#f6f7f8;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--card:#1e2226;--accent:#56b4e9;${DARK_COLOURS}}}
@media print{:root{--paper:#fff;--ink:#000;--muted:#444;--grid:#ccc;--card:#fff;--accent:#0072b2;${LIGHT_SERIES}}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0 auto;max-width:1180px;padding:32px 24px;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,sans-serif}
h1{font-size:28px;line-height:1.2;letter-spacing:-.01em;margin:0 0 10px}
h2{font-size:21px;margin:0 0 4px}section{margin-top:44px;border-top:1px solid var(--grid);padding-top:22px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-bottom:18px;font-size:13.5px}a{color:var(--accent)}
.engine{font-size:12px;font-weight:400;color:var(--muted);border:1px solid var(--grid);border-radius:9px;padding:1px 8px;vertical-align:2px}
.question{font-size:17px;margin:0 0 8px}.provenance,figcaption,footer,.note{color:var(--muted);font-size:12.5px}
.provenance{margin:8px 0 0}code{font:13px ui-monospace,monospace}
.command{margin:0}.command code{display:inline-block;background:var(--card);border:1px solid var(--grid);padding:5px 10px;border-radius:6px;overflow-wrap:anywhere}
.verdict{border-left:3px solid var(--accent);background:var(--card);border-radius:0 6px 6px 0;padding:8px 16px;margin:14px 0;max-width:95ch}.verdict p{margin:4px 0}
figure{margin:20px 0;min-width:0}svg{display:block;max-width:100%;height:auto}figcaption{margin-top:6px;max-width:110ch}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:8px 24px;align-items:start}
.row figure{margin:8px 0;max-width:560px}.wide{overflow-x:auto}.wide svg{min-width:min(100%,680px)}.wide figcaption{position:sticky;left:0}
.loads .row>div{max-width:420px}
.scroll{overflow-x:auto;margin:16px 0}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:12.5px;width:100%}
th,td{padding:5px 6px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}
thead th{white-space:normal;vertical-align:bottom;color:var(--muted);font-weight:600}thead small{font-weight:400}tbody th{font-weight:600}
tbody tr:hover>*{background:var(--card)}
.faded{opacity:.15}.series{cursor:default;transition:opacity .12s}.look{max-width:80ch;margin:0 0 8px}
.wide,.scroll{background:linear-gradient(90deg,var(--paper) 40%,transparent) 0 0/40px 100% no-repeat local,linear-gradient(-90deg,var(--paper) 40%,transparent) 100% 0/40px 100% no-repeat local,linear-gradient(90deg,var(--grid),transparent) 0 0/12px 100% no-repeat,linear-gradient(-90deg,var(--grid),transparent) 100% 0/12px 100% no-repeat}
footer{margin-top:44px;border-top:1px solid var(--grid);padding-top:14px;max-width:110ch}
@media (max-width:640px){body{padding:20px 14px}h1{font-size:23px}.wide svg{min-width:620px}}
@page{margin:14mm}
@media print{body{max-width:none;padding:0;font-size:11px}nav{display:none}figure,tr,.row>*,.verdict{break-inside:avoid}h2{break-after:avoid}
section{margin-top:20px}section+section{break-before:page}h1{font-size:20px}h2{font-size:15px}.question{font-size:12px}
.scroll,.wide{overflow:visible;background:none}table{font-size:7.2px}th,td{padding:2px}figcaption,.provenance,footer,.note{font-size:8.5px}
.loads{break-inside:auto}.row{grid-template-columns:repeat(auto-fit,minmax(54mm,1fr))}.wide svg{min-width:0;width:calc(var(--width)*.8px)}}
${PLOT_STYLE}
`;

/** Pointing at a line or a table row makes the others fade. */
export const PAGE_SCRIPT = `
for (const section of document.querySelectorAll('section')) {
  const marked = section.querySelectorAll('[data-series]');
  const namesOf = (one) => one.dataset.series.split(' ');
  const show = (names) => {
    for (const other of section.querySelectorAll('g.series'))
      other.classList.toggle('faded', names !== undefined && !namesOf(other).some((name) => names.includes(name)));
  };
  for (const one of marked) {
    one.addEventListener('mouseenter', () => show(namesOf(one)));
    one.addEventListener('mouseleave', () => show(undefined));
  }
}
`;
