// The bytes of one file: sparse pages, so that growing, cutting and overwriting never copy the whole.

const pageBytes = 4096;

export class PagedBytes {
  #pages: (Uint8Array | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Writes `bytes` at `position`; a gap before it reads as zeros. */
  write(position: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = position + done;
      const pageIndex = Math.floor(at / pageBytes);
      const offset = at - pageIndex * pageBytes;
      const count = Math.min(pageBytes - offset, bytes.length - done);
      let page = this.#pages[pageIndex];
      if (page === undefined) {
        while (this.#pages.length < pageIndex) {
          this.#pages.push(undefined);
        }
        page = new Uint8Array(pageBytes);
        this.#pages[pageIndex] = page;
      }
      page.set(bytes.subarray(done, done + count), offset);
      done += count;
    }
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  /** Fills `target` from `position` on. Returns how many bytes there were. */
  read(target: Uint8Array, position: number): number {
    const total = Math.max(0, Math.min(target.length, this.#size - position));
    let done = 0;
    while (done < total) {
      const at = position + done;
      const pageIndex = Math.floor(at / pageBytes);
      const offset = at - pageIndex * pageBytes;
      const count = Math.min(pageBytes - offset, total - done);
      const page = this.#pages[pageIndex];
      if (page === undefined) {
        target.fill(0, done, done + count);
      } else {
        target.set(page.subarray(offset, offset + count), done);
      }
      done += count;
    }
    return total;
  }

  /** Cuts, or extends with zeros. */
  resize(size: number): void {
    if (size < this.#size) {
      const pageCount = Math.ceil(size / pageBytes);
      this.#pages.length = Math.min(this.#pages.length, pageCount);
      const tail = size % pageBytes;
      if (tail !== 0) {
        this.#pages[pageCount - 1]?.fill(0, tail);
      }
    }
    this.#size = size;
  }

  clone(): PagedBytes {
    const copy = new PagedBytes();
    copy.#pages = this.#pages.map((page) => page?.slice());
    copy.#size = this.#size;
    return copy;
  }
}
