// The page's one style sheet, inline; the content security policy allows exactly this text.
import { createHash } from "node:crypto";

export const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; width: 100%; }
caption { font-weight: 600; text-align: left; padding: .25rem 0; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { white-space: nowrap; } td.number, th.number { text-align: right; }
dl.totals { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; }
dl.totals dd { font-size: 1.75rem; margin: 0; }
.alarm { border-left: .3rem solid #c33; padding-left: .75rem; font-weight: 600; }
.note { border-left: .3rem solid #888; padding-left: .75rem; }
`;

export const contentSecurityPolicy = [
	"default-src 'none'",
	`style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");
