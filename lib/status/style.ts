// The page's one style sheet, inline; the content security policy allows exactly this text. Every text has a contrast of 4.5 at least, in
// the light and in the dark; what a colour says a shape and a word say too.

export const style = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --dim: #57606a; --line: #d0d7de; --raised: #f6f8fa; --link: #0550ae;
	--bad: #b3131d; --bad-back: #ffebe9; --warn: #8a4600; --work: #0550ae; --good: #116329;
	--cordoning: #57606a; --draining: #9a4a00; --rebooting: #6639ba; --rejoining: #0b6a76; --uncordoning: #57606a; --soaking: #116329; --stuck: #b3131d; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --text: #e6edf3; --dim: #9da7b1; --line: #333b44; --raised: #171c22; --link: #79b8ff;
	--bad: #ff8078; --bad-back: #3c1618; --warn: #eab05c; --work: #79b8ff; --good: #63c174;
	--cordoning: #59636e; --draining: #9a5612; --rebooting: #7a54c0; --rejoining: #17707b; --uncordoning: #59636e; --soaking: #237a39; --stuck: #c0333a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 0 1rem 3rem; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; background: var(--page); padding: .5rem; z-index: 2; }
header { position: sticky; top: 0; z-index: 1; background: var(--page); border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: .5rem 0; }
h1, h2, h3, h4, h5, p, dl, dd, ul { margin: 0; }
h1 { font-size: 1rem; font-weight: 600; }
h2 { display: inline-block; font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
h2 span, h4 span, h5 span { color: var(--dim); font-size: .875rem; font-weight: 400; }
h3 { font-size: 1rem; overflow-wrap: anywhere; }
h4 { font-size: .875rem; margin: .9rem 0 .2rem; }
h5 { font-size: .875rem; margin: .5rem 0 .2rem; }
#filter { display: flex; gap: .5rem; align-items: center; } #filter[hidden] { display: none; }
#filter label { color: var(--dim); }
input, select, textarea, button { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--dim); border-radius: 4px; padding: .2rem .5rem; max-width: 100%; }
#live { color: var(--dim); margin-left: auto; }
body.old main { filter: grayscale(1); }
.dim, #found { color: var(--dim); }
.alarm, #live.alarm { color: var(--bad); background: var(--bad-back); border-left: 4px solid var(--bad); padding: .4rem .75rem; margin: .5rem 0; font-weight: 600; overflow-wrap: anywhere; }
.note { border-left: 4px solid var(--dim); padding: .2rem .75rem; margin: .4rem 0; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; border: solid var(--line); border-width: 1px 0 0 1px; }
.figures > div { flex: 1 1 8.5rem; border: solid var(--line); border-width: 0 1px 1px 0; padding: .5rem .75rem; }
/* The last two, the window and the round, share a row of their own. */
.figures > div:nth-last-child(-n+2) { flex: 1 1 49%; }
.figures dt { color: var(--dim); font-size: .875rem; }
.figures dd b { display: block; font-size: 1.4rem; line-height: 1.3; font-weight: 600; }
.figures dd span { color: var(--dim); font-size: .8125rem; overflow-wrap: anywhere; } .figures a { display: inline-block; }
.figures .bad { background: var(--bad-back); box-shadow: inset 4px 0 var(--bad); } .figures .bad dt, .figures .bad b, .figures .bad dd span { color: var(--bad); }
.figures .warn b { color: var(--warn); }
details.cluster { border-top: 1px solid var(--line); padding: 0 .25rem; scroll-margin-top: 3.5rem; }
section.group > details.cluster:last-child { border-bottom: 1px solid var(--line); }
details.cluster[open] { background: var(--raised); padding-bottom: .75rem; }
details.cluster > summary { display: grid; grid-template-columns: 1rem minmax(9rem, 1.2fr) minmax(11rem, 2fr) 2fr 8.5rem; gap: .1rem .75rem; align-items: baseline; cursor: pointer; padding: .35rem 0; }
details.cluster > summary::before { content: "+"; color: var(--dim); text-align: center; } details.cluster[open] > summary::before { content: "−"; }
details.cluster > summary::-webkit-details-marker { display: none; }
details.cluster > :not(summary) { margin-left: 1.75rem; }
details.fold > summary, details.controls > summary { cursor: pointer; }
summary:hover h3 { text-decoration: underline; }
.state { font-weight: 600; } .state.bad { color: var(--bad); } .state.warn { color: var(--warn); } .state.work { color: var(--work); } .state.good { color: var(--good); } .state.quiet { color: var(--dim); font-weight: 400; }
.state::before { display: inline-block; width: 1.1em; } .state.bad::before { content: "▲"; } .state.warn::before { content: "●"; } .state.work::before { content: "►"; } .state.good::before { content: "✓"; } .state.quiet::before { content: "○"; }
ul { list-style: none; padding: 0; }
.why { overflow-wrap: anywhere; }
.group .dim { font-size: .875rem; overflow-wrap: anywhere; }
div.group { margin: .3rem 0 .7rem; padding-left: .75rem; border-left: 2px solid var(--line); }
.nodes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 29rem), 1fr)); gap: 0 1.5rem; }
.nodes li { overflow-wrap: anywhere; } .nodes b, .flights b, .ended b { font-weight: 600; }
.nodes i { font-style: normal; color: var(--dim); } .nodes span { color: var(--dim); font-size: .875rem; } summary > .dim { text-align: right; }
.flights > li, .ended > li, .asked > li { padding: .4rem 0; overflow-wrap: anywhere; } .flights > li + li, .ended > li + li { border-top: 1px solid var(--line); }
.flights > li.stuck { border-left: 4px solid var(--bad); padding-left: .75rem; }
.controls { margin-top: .75rem; } .controls form { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: .5rem 1rem; align-items: start; padding: .5rem 0; }
.controls label { display: grid; gap: .15rem; } .controls label:has([type=checkbox]) { display: block; } .controls small { color: var(--dim); } .controls form > p { grid-column: 1 / -1; }
button { cursor: pointer; padding: .25rem .75rem; }
.phases { color: var(--dim); font-size: .875rem; }
.axis { display: block; margin: .4rem 0 0; overflow: visible; font-size: 12px; }
.axis svg text { fill: #fff; } .axis .tick { fill: var(--dim); }
.axis rect { fill: var(--phase); } .axis .now { stroke: var(--text); stroke-width: 2; } .axis .deadline { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 3 2; } .axis rect.left { fill: none; stroke: var(--dim); stroke-dasharray: 2 3; }
.k { white-space: nowrap; margin-right: .6rem; } .k::before { content: ""; display: inline-block; width: .65em; height: .65em; margin-right: .35em; background: var(--phase); }
${["cordoning", "draining", "rebooting", "rejoining", "uncordoning", "soaking", "stuck"].map((phase) => `.p-${phase} { --phase: var(--${phase}); }`).join(" ")}
@media (max-width: 44rem) {
	body { padding: 0 .6rem 2rem; }
	.axis .n { display: none; }
	.figures > div { flex-basis: 6.5rem; padding: .35rem .5rem; } .figures > div:nth-last-child(-n+2) { flex-basis: 100%; }
	details.cluster > summary { grid-template-columns: 1rem 1fr auto; }
	details.cluster > summary > .state, details.cluster > summary > .line { grid-column: 2 / -1; }
	details.cluster > summary > .dim { grid-column: 3; grid-row: 1; }
	details.cluster > :not(summary) { margin-left: .4rem; }
	#live { margin-left: 0; }
}
footer { margin-top: 1.5rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print { header { position: static; } #filter, #live, .skip, details.controls { display: none; } body { max-width: none; font-size: 11px; } .flights > li, .ended > li, div.group { break-inside: avoid; } }
`;
