import { describe, expect, it } from "vitest";
import { DiskImage, loseEverything, type Tree } from "./disk-image.js";
import type { JournalRecord, OperationName } from "./journal.js";

const none = new Uint8Array(0);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function record(
  operation: OperationName,
  path: string,
  rest: Partial<JournalRecord> = {},
): JournalRecord {
  return { operation, path: `/data${path}`, fd: -1, offset: 0, data: none, ...rest };
}

function after(records: JournalRecord[], tree: Tree = new Map()): Tree {
  const image = new DiskImage("/data", tree);
  for (const item of records) {
    image.apply(item);
  }
  return image.cut(loseEverything).tree;
}

const syncDirectory = [
  record("open", "", { fd: 9 }),
  record("syncStart", "", { fd: 9 }),
  record("syncEnd", "", { fd: 9 }),
];

describe("the image of a disk after a power cut", () => {
  it("loses a file whose name was never synced, even when its bytes were", () => {
    const records = [
      record("create", "/a", { fd: 3 }),
      record("write", "/a", { fd: 3, data: text("hello") }),
      record("syncStart", "/a", { fd: 3 }),
      record("syncEnd", "/a", { fd: 3 }),
    ];
    expect(after(records)).toEqual(new Map());
    expect(after([...records, ...syncDirectory])).toEqual(new Map([["a", text("hello")]]));
  });

  it("keeps only writes that were recorded before the sync started", () => {
    const records = [
      record("create", "/a", { fd: 3 }),
      ...syncDirectory,
      record("write", "/a", { fd: 3, data: text("one") }),
      record("syncStart", "/a", { fd: 3 }),
      record("write", "/a", { fd: 3, offset: 3, data: text("two") }),
      record("syncEnd", "/a", { fd: 3 }),
    ];
    expect(after(records)).toEqual(new Map([["a", text("one")]]));
  });

  it("keeps nothing of a sync that never ended", () => {
    const records = [
      record("open", "/a", { fd: 3 }),
      record("write", "/a", { fd: 3, offset: 3, data: text("two") }),
      record("syncStart", "/a", { fd: 3 }),
    ];
    expect(after(records, new Map([["a", text("one")]]))).toEqual(new Map([["a", text("one")]]));
  });

  it("follows a file through a rename, and undoes the rename when the directory was not synced", () => {
    const records = [
      record("open", "/a", { fd: 3 }),
      record("rename", "/a", { data: text("/data/b") }),
      record("write", "/a", { fd: 3, offset: 3, data: text("two") }),
      record("syncStart", "/a", { fd: 3 }),
      record("syncEnd", "/a", { fd: 3 }),
    ];
    const tree: Tree = new Map([["a", text("one")]]);
    expect(after(records, tree)).toEqual(new Map([["a", text("onetwo")]]));
    expect(after([...records, ...syncDirectory], tree)).toEqual(new Map([["b", text("onetwo")]]));
  });

  it("brings back a removed file whose directory was not synced", () => {
    const tree: Tree = new Map([["a", text("one")]]);
    expect(after([record("unlink", "/a")], tree)).toEqual(tree);
    expect(after([record("unlink", "/a"), ...syncDirectory], tree)).toEqual(new Map());
  });

  it("applies a truncate only when synced", () => {
    const records = [
      record("open", "/a", { fd: 3 }),
      record("truncate", "/a", { fd: 3, offset: 1 }),
    ];
    const tree: Tree = new Map([["a", text("one")]]);
    expect(after(records, tree)).toEqual(tree);
    expect(
      after(
        [...records, record("syncStart", "/a", { fd: 3 }), record("syncEnd", "/a", { fd: 3 })],
        tree,
      ),
    ).toEqual(new Map([["a", text("o")]]));
  });
});
