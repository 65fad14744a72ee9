import { DARK_COLOURS, LIGHT_SERIES, PLOT_STYLE } from './plots/svg.ts';

/** Light by default, dark where the reader's system is, light again on paper. */
export const PAGE_STYLE: string = `
:root{--paper:#fff;--ink:#1c1e21;--muted:#5d646c;--grid:#e3e6e9;--card:#f6f7f8;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--card:#1e2226;--accent:#56b4e9;${DARK_COLOURS}}}
@media print{:root{--paper:#fff;--ink:#000;--muted:#444;--grid:#ccc;--card:#fff;--accent:#0072b2;${LIGHT_SERIES}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 4px;border-top:1px solid var(--grid);padding-top:20px}
.engine{font-size:12px;font-weight:400;color:var(--muted);border:1px solid var(--grid);border-radius:9px;padding:1px 8px;vertical-align:2px}
.question{font-size:17px;margin:0 0 8px}.provenance,figcaption,footer{color:var(--muted);font-size:12.5px}
code{font:13px ui-monospace,monospace}.command code{background:var(--card);padding:3px 7px;border-radius:4px;overflow-wrap:anywhere}
.verdict{border-left:3px solid var(--accent);padding:2px 0 2px 14px;margin:10px 0}.verdict p{margin:4px 0}
figure{margin:16px 0;min-width:0}svg{display:block;width:100%;height:auto}figcaption{margin-top:4px}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:8px 24px;align-items:start}
.row figure{margin:8px 0;max-width:560px}.wide{overflow-x:auto}.wide svg{min-width:760px}
.loads .row>div{max-width:420px}
.scroll{overflow-x:auto;margin:12px 0}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:12.5px;width:100%}
th,td{padding:4px 6px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th:first-child{text-align:left}thead th{white-space:normal;vertical-align:bottom;color:var(--muted);font-weight:600}thead small{font-weight:400}tbody th{font-weight:600}
.faded{opacity:.15}.series{cursor:default}.look{max-width:75ch}
@page{margin:14mm}
@media print{body{max-width:none;padding:0;font-size:11px}figure,tr,.row>*{break-inside:avoid}h2{break-after:avoid}section+section{break-before:page}
.scroll{overflow:visible}table{font-size:7.5px}th,td{padding:2px 3px}figcaption,.provenance,footer{font-size:8.5px}.row{grid-template-columns:repeat(3,1fr)}.wide svg{min-width:0}}
${PLOT_STYLE}
`;

/** Pointing at a line or a table row makes the others fade. */
export const PAGE_SCRIPT = `
for (const section of document.querySelectorAll('section')) {
  const marked = section.querySelectorAll('[data-series]');
  const show = (name) => {
    for (const other of section.querySelectorAll('g.series'))
      other.classList.toggle('faded', name !== undefined && other.dataset.series !== name);
  };
  for (const one of marked) {
    one.addEventListener('mouseenter', () => show(one.dataset.series));
    one.addEventListener('mouseleave', () => show(undefined));
  }
}
`;
