/** The images of an edit: dropped, pasted, chosen, examples, or earlier results; the first is edited. */
import { addressOf } from "./address.ts";
import { createAddressField } from "./address-field.ts";
import { button, element, find, show } from "./dom.ts";
import { type Convert, fetchPicture, type FittingPicture, readPicture } from "./picture-file.ts";
import type { ImageLimits } from "./schema.ts";
import { drawTray, focusTray } from "./tray.ts";

export interface SourcePicture extends FittingPicture {
  /** Path on this server, if it is one of the examples. */
  path?: string;
  /** The edit whose result it is. */
  editId?: string;
}

type Origin = Pick<SourcePicture, "path" | "editId">;

/** The shipped images, each with an instruction that the shipped checkpoint can follow. */
const EXAMPLES = [
  ["bluebird", "Exact same bluebird, same angle and posture, now perched on a cloud in outer space"],
  ["fox", "Make it snow"],
  ["car", "Make it night"],
  ["teapot", "Put it underwater"],
] as const;

export interface SourceChooser {
  /** All images, also those that this model does not take; waits for those that are still being read. */
  get(): Promise<readonly SourcePicture[]>;
  set(pictures: readonly SourcePicture[]): void;
  setMaxImages(max: number): void;
  /** Shows under the images what is wrong, or how they were changed. */
  note(sentence: string): void;
}

export interface SourceOptions {
  limits: ImageLimits;
  convert: Convert;
  /** Called with all images, the one that is edited first. */
  onChange: (pictures: readonly SourcePicture[]) => void;
  /** Called with an instruction that fits the chosen example. */
  onExample: (instruction: string) => void;
}

export function createSourceChooser({ limits, convert, onChange, onExample }: SourceOptions): SourceChooser {
  const { minImages } = limits;
  let { maxImages } = limits;
  const drop = find("drop");
  const image = find<HTMLImageElement>("source");
  const file = find<HTMLInputElement>("file");
  const noteLine = find("source-note");
  let takesSeveral = maxImages > 1;
  describeLimits();
  find("drop-optional").hidden = minImages > 0;
  let pictures: readonly SourcePicture[] = [];
  /** The reads of all choices up to now. Of a model's only image, the latest choice counts, not the one read first. */
  let reading: Promise<void> = Promise.resolve();
  let turn = 0;

  function describeLimits(): void {
    file.multiple = takesSeveral;
    find("drop-limit").textContent = takesSeveral ? `, up to ${maxImages} images` : "";
  }

  function note(sentence: string): void {
    noteLine.textContent = sentence;
  }

  /** What is sent, in a sentence. */
  function described(): string {
    const [first] = pictures;
    if (first === undefined) return "";
    const size = `${first.width} × ${first.height}`;
    if (pictures.length > maxImages) {
      return takesSeveral
        ? `This model takes up to ${maxImages} images: only the first ${maxImages} are sent.`
        : "This model takes one image: only the first is sent.";
    }
    if (!takesSeveral) return size;
    const order = pictures.length > 1 ? "; the first is edited" : "";
    return `${size}, ${pictures.length} of up to ${maxImages} images${order}`;
  }

  function place(next: readonly SourcePicture[]): void {
    pictures = next;
    const [first] = next;
    const isTrayed = takesSeveral || minImages === 0 || next.length > 1;
    if (first) show(image, first.bytes);
    image.hidden = first === undefined;
    find("clear-source").hidden = first === undefined || isTrayed;
    find("drop-hint").hidden = first !== undefined;
    drop.classList.toggle("filled", first !== undefined);
    find("file-label").textContent = first && takesSeveral ? "Add an image" : "Choose an image";
    find("tray").hidden = first === undefined || !isTrayed;
    drawTray(isTrayed ? next.map(({ bytes }) => bytes) : [], maxImages, {
      onFirst(index) {
        place([next[index]!, ...next.filter((_, other) => other !== index)]);
        focusTray(0);
      },
      onRemove(index) {
        place(next.filter((_, other) => other !== index));
        focusTray(index);
      },
    });
    note(described());
    onChange(next);
  }

  function choose(coming: readonly (Blob | Promise<Blob>)[], origin: Origin = {}): void {
    if (!takesSeveral) turn += 1;
    const own = turn;
    // All are read at once, and take their places in the order in which they were chosen.
    const read = coming.map((one) => readPicture(one, convert));
    const before = takesSeveral ? reading : Promise.resolve();
    reading = before.then(async () => {
      const problems = new Set<string>();
      for (const one of read) {
        const fitting = await one;
        if (own !== turn) return;
        if (typeof fitting === "string") problems.add(fitting);
        else if (takesSeveral && pictures.length >= maxImages)
          problems.add(`This model takes up to ${maxImages} images: remove one to add another.`);
        else {
          const { isScaled, ...picture } = fitting;
          const added = { ...picture, ...origin };
          place(takesSeveral ? [...pictures, added] : [added, ...pictures.slice(1)]);
          if (isScaled) problems.add(`${picture.width} × ${picture.height}, reduced for sending.`);
        }
      }
      if (problems.size > 0) note([...problems].join(" "));
    });
  }

  /** Of several files, a model that takes one image gets the first. */
  const chooseFiles = (files: readonly Blob[]): void => {
    if (files.length > 0) choose(takesSeveral ? files : files.slice(0, 1));
  };
  for (const input of [file, find<HTMLInputElement>("camera")]) {
    input.addEventListener("change", () => {
      chooseFiles([...(input.files ?? [])]);
      input.value = "";
    });
  }
  find("clear-source").addEventListener("click", () => {
    turn += 1;
    place([]);
    file.focus();
  });
  // Anywhere on the page: beside the frame, a browser would leave the page and show the file.
  for (const kind of ["dragenter", "dragover"] as const) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"] as const) {
    document.addEventListener(kind, () => drop.classList.remove("over"));
  }
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!find("page-edit").hidden) chooseFiles([...(event.dataTransfer?.files ?? [])]);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    if (pasted.length === 0) return;
    event.preventDefault();
    chooseFiles(pasted);
  });
  createAddressField((address) => {
    note("Fetching the image");
    choose([convert(address)]);
  });
  find("examples").append(
    ...EXAMPLES.map(([name, instruction]) => {
      const path = `examples/${name}.png`;
      const url = addressOf(path);
      const label = `Example: ${name}`;
      const take = (): void => {
        // Called at once: by the time the image has loaded, the user may be in the middle of a sentence.
        if (!takesSeveral || pictures.length === 0) onExample(instruction);
        choose([fetchPicture(url)], { path });
      };
      const thumbnail = button("", take, "thumbnail");
      thumbnail.append(element("img", { src: url, alt: label, loading: "lazy" }));
      return thumbnail;
    }),
  );
  return {
    async get() {
      await reading;
      return pictures;
    },
    set(next) {
      turn += 1;
      place(next);
    },
    setMaxImages(next) {
      if (next === maxImages) return;
      maxImages = next;
      takesSeveral = next > 1;
      describeLimits();
      place(pictures);
    },
    note,
  };
}
