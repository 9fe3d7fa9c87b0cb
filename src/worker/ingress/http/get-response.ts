/** Responses to GET and HEAD, except the test page's. */
import type { Readiness } from '../../../ipc.ts';
import { pageFile } from '../../../page/page.ts';
import { WEB_SOCKET_PATH } from '../paths.ts';
import { PAGE_PATH } from './page-response.ts';
import { errorResponse, jsonBody, type ResponseContent, requestError } from './responses.ts';

/** Returns the response for a path: 404 if there is none, 426 if it requires an upgrade. */
export function getResponse(path: string, readiness: () => Readiness): ResponseContent {
  switch (path) {
    // For methods other than GET and HEAD: the path exists, but does not allow them.
    case PAGE_PATH:
      return { status: 200, body: '' };
    case '/livez':
      return { status: 200, body: jsonBody({ alive: true }) };
    case '/readyz': {
      const state = readiness();
      return { status: state.ready ? 200 : 503, body: jsonBody(state) };
    }
    case WEB_SOCKET_PATH: {
      const headers = { Upgrade: 'websocket', Connection: 'Upgrade' };
      return errorResponse(426, 'bad_request', 'this path requires a WebSocket upgrade', headers);
    }
    default: {
      const file = pageFile(path);
      if (file === undefined) return requestError('not_found');
      return { status: 200, ...file };
    }
  }
}
