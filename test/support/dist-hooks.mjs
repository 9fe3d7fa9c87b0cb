/** Resolve hook of dist.ts: maps `src/**` to its build output. */

const root = new URL('../..', import.meta.url).href;
/** The first match applies. The client library ships as one file; build/ has its inner modules. */
const BUILT = [
  { source: `${root}src/client/client.ts`, built: `${root}dist/client/client.js` },
  { source: `${root}src/client/`, built: `${root}build/client/` },
  { source: `${root}src/`, built: `${root}dist/` },
];

export function resolve(specifier, context, nextResolve) {
  if (!/^(\.|file:)/.test(specifier)) return nextResolve(specifier, context);
  const { href } = new URL(specifier, context.parentURL);
  const [path] = href.split(/[?#]/, 1);
  const place = BUILT.find(({ source }) => path.startsWith(source));
  if (place === undefined) return nextResolve(specifier, context);
  const script = path.slice(place.source.length).replace(/\.ts$/, '.js');
  // A query yields a separate module instance: a test may need a second one.
  const url = place.built + script + href.slice(path.length);
  return { url, format: 'module', shortCircuit: true };
}
