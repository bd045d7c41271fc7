import { describe, expect, it } from "vitest";
import { compileRecordFormat, type PrintableRecord } from "./record-template.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const record: PrintableRecord = {
  topic: "orders",
  partition: 2,
  offset: 41,
  timestamp: 1_700_000_000_000,
  key: bytes("k"),
  value: bytes("v\u001b[2J"),
  headers: [{ key: "trace", value: bytes("abc") }],
};

describe("record formats", () => {
  it("print the value alone by default, byte for byte in a pipe", () => {
    const format = compileRecordFormat("value", { escapesControls: false });
    expect(format.print(record)).toBe("v\u001b[2J\n");
  });

  it("escape on a terminal what could drive it", () => {
    const format = compileRecordFormat("%k=%v\\n", { escapesControls: true });
    expect(format.print(record)).toBe("k=v\\x1b[2J\n");
  });

  it("fill in every directive of a template", () => {
    const format = compileRecordFormat("%t %p %o %k %K %V %T %d %h %%\\n", {
      escapesControls: false,
    });
    expect(format.print(record)).toBe(
      "orders 2 41 k 1 5 1700000000000 2023-11-14T22:13:20.000Z trace=abc %\n",
    );
  });

  it("let bytes that are no text through as they are in a pipe", () => {
    const format = compileRecordFormat("ä%v", { escapesControls: false });
    const text = format.print({ ...record, value: new Uint8Array([0xff, 0x00, 0xe4]) });
    expect(format.encoding).toBe("latin1");
    expect([...Buffer.from(text, format.encoding)]).toEqual([0xc3, 0xa4, 0xff, 0x00, 0xe4]);
  });

  it("tell null from empty by length", () => {
    const format = compileRecordFormat("%K,%V", { escapesControls: false });
    expect(format.print({ ...record, key: null, value: new Uint8Array(0) })).toBe("-1,0");
  });

  it("refuse a directive that means nothing, naming those that do", () => {
    expect(() => compileRecordFormat("%x", { escapesControls: false })).toThrow(/%t topic/);
    expect(() => compileRecordFormat("100%", { escapesControls: false })).toThrow(/means nothing/);
  });

  it("print one JSON object per line", () => {
    const line = compileRecordFormat("json", { escapesControls: true }).print(record);
    expect(line.endsWith("}\n")).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ topic: "orders", offset: 41, key: "k" });
  });
});
