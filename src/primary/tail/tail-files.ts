/** Files of the live tail's page. Loaded on the first request. */
import { loadFiles, type PageFile } from '../../page/static-files.ts';

const loaded = loadFiles(new URL('./static/', import.meta.url), {
  '/events': 'events.html',
  '/events.css': 'events.css',
  '/events.js': 'events.js',
  '/event-stream.js': 'event-stream.js',
  '/event-list.js': 'event-list.js',
  '/event-json.js': '../../../page/static/event-json.js',
});

/** Returns the file at this path of the admin port, or undefined. */
export function tailFile(path: string): PageFile | undefined {
  return loaded.get(path);
}
