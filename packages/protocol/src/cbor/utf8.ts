// Whether bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.

/** Checks `bytes[start..end)`. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at] as number;
    if (lead < 0x80) {
      at++;
      continue;
    }
    const length = sequenceBytes(lead);
    if (length === 0 || at + length > end || !isContinued(bytes, at, length)) {
      return false;
    }
    at += length;
  }
  return true;
}

/** Bytes of the sequence a lead byte begins; 0: it begins none. */
function sequenceBytes(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) {
    return 0;
  }
  if (lead < 0xe0) {
    return 2;
  }
  return lead < 0xf0 ? 3 : 4;
}

function isContinued(bytes: Uint8Array, at: number, length: number): boolean {
  const lead = bytes[at] as number;
  const second = bytes[at + 1] as number;
  if (second < secondMin(lead) || second > secondMax(lead)) {
    return false;
  }
  for (let index = 2; index < length; index++) {
    if (((bytes[at + index] as number) & 0xc0) !== 0x80) {
      return false;
    }
  }
  return true;
}

function secondMin(lead: number): number {
  if (lead === 0xe0) {
    return 0xa0;
  }
  return lead === 0xf0 ? 0x90 : 0x80;
}

function secondMax(lead: number): number {
  if (lead === 0xed) {
    return 0x9f;
  }
  return lead === 0xf4 ? 0x8f : 0xbf;
}
