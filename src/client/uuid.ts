let lastMs = 0;
let count = 0;

/**
 * Creates a UUID of version 7 (RFC 9562), which sorts by creation time. UUIDs of one client
 * increase even if the clock is set back: the time is then frozen, and the counter continues.
 */
export function uuidv7(): string {
  const random = crypto.getRandomValues(new Uint8Array(10));
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    count = ((random[8]! << 8) | random[9]!) & 0x7ff;
  } else if (++count > 0xfff) {
    lastMs++;
    count = 0;
  }
  const time = hex(lastMs, 12);
  const variant = hex(0x80 | (random[0]! & 0x3f), 2);
  const tail = Array.from(random.subarray(1, 8), (byte) => hex(byte, 2)).join('');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(count, 3)}-${variant}${tail.slice(0, 2)}-${tail.slice(2)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
