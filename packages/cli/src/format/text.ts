// Text from outside on its way to a terminal: a record must not move the cursor, change colours or set a title.

const dangerous =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Escapes control and direction characters; tabs and line feeds stay. */
export function escapeControls(text: string): string {
  return text.replace(dangerous, (character) => {
    const code = character.charCodeAt(0);
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Cuts to `width` columns (counted in UTF-16 units), with an ellipsis. */
export function truncate(text: string, width: number): string {
  if (text.length <= width) {
    return text;
  }
  return width <= 1 ? text.slice(0, width) : `${text.slice(0, width - 1)}…`;
}

/** Breaks between words, so that no line is longer than `width` unless one word is. Without `width`: one line. */
export function wrapWords(text: string, width: number | undefined): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || (width !== undefined && last.length + 1 + word.length > width)) {
      lines.push(word);
    } else {
      lines[lines.length - 1] = `${last} ${word}`;
    }
  }
  return lines;
}
