import { createHash } from 'node:crypto';

/** The one stylesheet of the authorization pages. Contrasts meet WCAG AA in both schemes. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --ink: #16181d; --soft: #565c68; --line: #d5d9e0; --field: #868d9a;
  --accent: #2f4bd8; --accent-strong: #243cb4; --on-accent: #ffffff;
  --warn-ground: #fff4dc; --warn-line: #d59a16; --bad: #b3261e; --bad-ground: #fdecea; --info-ground: #eef1fd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101217; --card: #191c23; --ink: #eceef3; --soft: #a7adba; --line: #323743; --field: #79808f;
    --accent: #93a5ff; --accent-strong: #b3c0ff; --on-accent: #10142b;
    --warn-ground: #2d2511; --warn-line: #c8962a; --bad: #ff9d94; --bad-ground: #351a18; --info-ground: #1e2440;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; padding: 2rem 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; -webkit-text-size-adjust: 100%;
}
main, header, footer { max-width: 30rem; margin: 0 auto; }
header { display: flex; align-items: center; gap: .6rem; margin-bottom: 1rem; font-weight: 650; letter-spacing: -.01em; }
header svg { width: 1.75rem; height: 1.75rem; color: var(--accent); }
main {
  padding: 1.75rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / .05), 0 12px 32px rgb(0 0 0 / .06);
}
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.25; letter-spacing: -.015em; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
a { color: var(--accent); text-underline-offset: .15em; }
code, .address { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { padding: .1em .3em; border-radius: .3em; background: var(--ground); font-size: .9em; overflow-wrap: anywhere; }
main > :last-child { margin-bottom: 0; }
.soft { color: var(--soft); font-size: .9375rem; }
strong { font-weight: 600; overflow-wrap: anywhere; }
.address { padding: .75rem .9rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--ground); overflow-wrap: anywhere; -webkit-user-select: all; user-select: all; }
dl { margin: 0 0 1.25rem; border: 1px solid var(--line); border-radius: .75rem; }
dl div { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; padding: .65rem .9rem; }
dl div + div { border-top: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.note, .alert { margin: 0 0 1.25rem; padding: .75rem .9rem; border-left: 4px solid var(--warn-line); border-radius: .5rem; background: var(--warn-ground); }
.alert { border-color: var(--bad); background: var(--bad-ground); }
.info { border-color: var(--accent); background: var(--info-ground); }
.note p, .alert p { margin: 0; }
.note p:first-child:not(:last-child), .alert p:first-child { margin-bottom: .15rem; font-weight: 600; }
.alert p:first-child { color: var(--bad); }
.alert a { color: inherit; }
fieldset { margin: 0 0 1.25rem; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin-bottom: .4rem; font-weight: 600; }
.scope { display: flex; gap: .75rem; align-items: flex-start; min-height: 2.75rem; padding: .6rem 0; border-top: 1px solid var(--line); cursor: pointer; }
.scope input { flex: none; width: 1.25rem; height: 1.25rem; margin: .125rem 0 0; accent-color: var(--accent); }
.scope span { min-width: 0; }
.scope code { display: block; padding: 0; background: none; color: var(--soft); font-size: .8125rem; }
.field label { display: block; font-weight: 600; }
.field input {
  width: 100%; min-height: 2.875rem; margin: .4rem 0; padding: .5rem .8rem; border: 1px solid var(--field);
  border-radius: .6rem; background: var(--card); color: inherit; font: 1rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}
.field input[aria-invalid] { border-color: var(--bad); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
button, .button {
  flex: 1 1 10rem; min-height: 2.875rem; padding: .6rem 1.1rem; border: 1px solid var(--field); border-radius: .6rem;
  background: transparent; color: inherit; font: inherit; font-weight: 600; text-align: center; text-decoration: none; overflow-wrap: anywhere; cursor: pointer;
}
button:hover, .button:hover { border-color: var(--ink); }
.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
.primary:hover, .primary:active { border-color: var(--accent-strong); background: var(--accent-strong); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { margin-top: 1rem; color: var(--soft); font-size: .875rem; text-align: center; overflow-wrap: anywhere; }
@media (max-width: 26rem) { body { padding: 1rem .5rem; } main { padding: 1.25rem 1rem; } }
`;

/** What the Content-Security-Policy has to name for the stylesheet to count. */
export const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`;
