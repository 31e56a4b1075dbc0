/** Texts and the number that each stands for, found wherever they begin within a longer text. */
interface Node {
  next: Map<number, Node>;
  value: number | undefined;
}

const newNode = (): Node => ({ next: new Map(), value: undefined });

export class Trie {
  readonly #root = newNode();

  /** A text that is there already gets the new value; an empty one is never found. */
  set(text: string, value: number): void {
    let node = this.#root;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      let next = node.next.get(unit);
      if (next === undefined) {
        next = newNode();
        node.next.set(unit, next);
      }
      node = next;
    }
    node.value = value;
  }

  /** Calls `found` with the end and the value of every text that begins at `start`, the shortest first. */
  eachAt(text: string, start: number, found: (end: number, value: number) => void): void {
    let node: Node | undefined = this.#root;
    for (let index = start; index < text.length; index += 1) {
      node = node.next.get(text.charCodeAt(index));
      if (node === undefined) return;
      if (node.value !== undefined) found(index + 1, node.value);
    }
  }

  /** The longest text that begins at `start`. */
  longestAt(text: string, start: number): { end: number; value: number } | undefined {
    let longest: { end: number; value: number } | undefined;
    this.eachAt(text, start, (end, value) => {
      longest = { end, value };
    });
    return longest;
  }
}
