/** Boxes of ISO media files (ISO/IEC 14496-12, section 4.2), as far as they lie inside the file. */

export interface IsoBox {
  type: string;
  /** Without the box's own header. */
  content: DataView;
}

/** A damaged file may claim any number; a picture has some dozens. */
const MAX_BOXES = 10_000;

export function* isoBoxes(view: DataView, start = 0): Generator<IsoBox> {
  let at = start;
  for (let i = 0; i < MAX_BOXES && at + 8 <= view.byteLength; i++) {
    const size = view.getUint32(at);
    const isLong = size === 1 && at + 16 <= view.byteLength;
    const headerBytes = isLong ? 16 : 8;
    // 0 means up to the end.
    const length = isLong ? Number(view.getBigUint64(at + 8)) : size === 0 ? view.byteLength - at : size;
    if (length < headerBytes || at + length > view.byteLength) return;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((offset) => view.getUint8(at + offset)));
    yield {
      type,
      content: new DataView(view.buffer, view.byteOffset + at + headerBytes, length - headerBytes),
    };
    at += length;
  }
}

/** The first box of a path of types; `meta` is the one with a version before its boxes. */
export function findBox(view: DataView, [type, ...rest]: readonly string[]): DataView | undefined {
  for (const box of isoBoxes(view)) {
    if (box.type !== type) continue;
    if (rest.length === 0) return box.content;
    return findBox(withoutVersion(box), rest);
  }
  return undefined;
}

function withoutVersion({ type, content }: IsoBox): DataView {
  if (type !== "meta" || content.byteLength < 4) return content;
  return new DataView(content.buffer, content.byteOffset + 4, content.byteLength - 4);
}
