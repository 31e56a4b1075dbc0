/** The image to edit: dropped, pasted, chosen, one of the examples, or an earlier result. */
import { addressOf } from "./address.ts";
import { button, element, find, show } from "./dom.ts";

export interface SourcePicture {
  bytes: Blob;
  width: number;
  height: number;
  /** Path on this server, if it is one of the examples. */
  path?: string;
  /** The edit whose result it is. */
  editId?: string;
}

const TYPES = new Set(["image/png", "image/jpeg", "image/webp"]);
/** The shipped images, each with an instruction that the shipped checkpoint can follow. */
const EXAMPLES = [
  ["bluebird", "Exact same bluebird, same angle and posture, now perched on a cloud in outer space"],
  ["fox", "Make it snow"],
  ["car", "Make it night"],
  ["teapot", "Make the teapot green"],
] as const;
/** A body of /run may have 10 MB, and base64 takes a third more than the bytes. */
const MAX_BYTES = 7 * 2 ** 20;
/** Larger images are scaled down to this: no result has longer sides. */
const MAX_SIDE = 2048;

export interface SourceChooser {
  /** Waits for an image that is still being read. */
  get(): Promise<SourcePicture | undefined>;
  set(picture: SourcePicture): void;
  /** Shows under the image what is wrong, or how it was changed. */
  note(sentence: string): void;
}

export interface SourceOptions {
  onChange: (picture: SourcePicture) => void;
  /** Called with an instruction that fits the chosen example. */
  onExample: (instruction: string) => void;
}

export function createSourceChooser({ onChange, onExample }: SourceOptions): SourceChooser {
  const drop = find("drop");
  const image = find<HTMLImageElement>("source");
  const file = find<HTMLInputElement>("file");
  const noteLine = find("source-note");
  let current: SourcePicture | undefined;
  /** The read of the latest choice. The latest choice counts, not the one read first. */
  let reading: Promise<void> = Promise.resolve();
  let turn = 0;

  function note(sentence: string): void {
    noteLine.textContent = sentence;
  }

  function place(picture: SourcePicture): void {
    current = picture;
    show(image, picture.bytes);
    image.hidden = false;
    find("drop-hint").hidden = true;
    drop.classList.add("filled");
    note(`${picture.width} × ${picture.height}`);
    onChange(picture);
  }

  function choose(bytes: Blob | Promise<Blob>, origin: Pick<SourcePicture, "path" | "editId"> = {}): void {
    turn += 1;
    reading = read(turn, bytes, origin);
  }

  async function read(
    own: number,
    coming: Blob | Promise<Blob>,
    origin: Partial<SourcePicture>,
  ): Promise<void> {
    const answer = await Promise.resolve(coming).catch(() => undefined);
    const fitting = answer && TYPES.has(answer.type) ? await fit(answer).catch(() => undefined) : undefined;
    if (own !== turn) return;
    if (answer === undefined) note("The server does not answer.");
    else if (!TYPES.has(answer.type)) note("This is no PNG, JPEG or WebP image.");
    else if (fitting === undefined) note("This image cannot be read.");
    else {
      place({ ...fitting, ...origin });
      if (fitting.bytes !== answer) note(`${fitting.width} × ${fitting.height}, made smaller to be sent.`);
    }
  }

  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) choose(chosen);
    file.value = "";
  });
  for (const kind of ["dragenter", "dragover"] as const) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"] as const) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped) choose(dropped);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (pasted === undefined) return;
    event.preventDefault();
    choose(pasted);
  });
  find("examples").append(
    ...EXAMPLES.map(([name, instruction]) => {
      const path = `examples/${name}.png`;
      const url = addressOf(path);
      const label = `Example: ${name}`;
      const take = (): void => {
        // Called at once: by the time the image has loaded, the user may be in the middle of a sentence.
        onExample(instruction);
        choose(fetchPicture(url), { path });
      };
      const thumbnail = button("", take, "thumbnail");
      thumbnail.append(element("img", { src: url, alt: label, loading: "lazy" }));
      return thumbnail;
    }),
  );
  return {
    async get() {
      await reading;
      return current;
    },
    set(picture) {
      turn += 1;
      place(picture);
    },
    note,
  };
}

async function fetchPicture(url: string): Promise<Blob> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} is not there (${response.status}).`);
  return response.blob();
}

/** Size of an image, and its bytes, scaled down if they are more than can be sent. */
async function fit(bytes: Blob): Promise<Pick<SourcePicture, "bytes" | "width" | "height">> {
  const bitmap = await createImageBitmap(bytes);
  const { width, height } = bitmap;
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  if (bytes.size <= MAX_BYTES) return { bytes, width, height };
  const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const smaller = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  return { bytes: smaller, width: canvas.width, height: canvas.height };
}

/**
 * The image as the API takes it: the bytes themselves. Not the URL of an example: behind a proxy, the server
 * may not recognise this page's URL as its own.
 */
export function imageField({ bytes }: SourcePicture): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result as string));
    reader.addEventListener("error", () => reject(reader.error ?? new Error("The image cannot be read.")));
    reader.readAsDataURL(bytes);
  });
}
