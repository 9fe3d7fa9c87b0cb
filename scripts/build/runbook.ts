/** docs/operations.md as a page of the admin port: available without the repository. */
import { Marked, type Tokens } from 'marked';

/** Anchor of a heading, as GitHub derives it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

const marked = new Marked({
  renderer: {
    heading({ tokens, depth, text }) {
      const inner = this.parser.parseInline(tokens);
      return `<h${depth} id="${anchorOf(text)}">${inner}</h${depth}>\n`;
    },
    /** Other files are not served: shows their path in the repository instead. */
    link({ href, tokens }) {
      const inner = this.parser.parseInline(tokens);
      if (href.startsWith('#')) return `<a href="${href}">${inner}</a>`;
      const path = href.startsWith('../') ? href.slice('../'.length) : `docs/${href}`;
      return inner.includes(href.split('#')[0]!)
        ? `<em>${path}</em>`
        : `${inner} (<em>${path}</em>)`;
    },
    table({ header, rows }) {
      const row = (cells: readonly Tokens.TableCell[], tag: string) => {
        const inner = cells.map(
          ({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`,
        );
        return `<tr>${inner.join('')}</tr>\n`;
      };
      const head = header.some(({ text }) => text !== '')
        ? `<thead>${row(header, 'th')}</thead>`
        : '';
      const body = rows.map((cells) => row(cells, 'td')).join('');
      return `<div class="card scroll"><table>${head}<tbody>${body}</tbody></table></div>\n`;
    },
  },
});

/** @returns the page */
export function runbookPage(markdown: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Forebay, runbook</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="base.css">
    <link rel="stylesheet" href="view.css">
  </head>
  <body class="runbook">
    <p><a href="./">Live view</a></p>
    <main>
${marked.parse(markdown)}
    </main>
  </body>
</html>
`;
}
