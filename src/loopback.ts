/** Whether `host`, a name or an address, is this machine, and nobody else can reach it there. */
export function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || /^127(\.\d{1,3}){3}$/.test(host);
}
