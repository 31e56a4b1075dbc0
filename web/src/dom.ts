/** Creates and finds elements. Text is inserted as text: nothing from outside is ever parsed as HTML. */

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Creates an element; `true` sets an attribute without a value, `false` and undefined leave it out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(attribute, "");
    else if (value !== undefined && value !== false) made.setAttribute(attribute, String(value));
  }
  made.append(...children);
  return made;
}

/** The element of the page with this id. */
export function find<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element ${id}.`);
  return found as Kind;
}

export function button(text: string, onClick: () => void, className = "quiet"): HTMLButtonElement {
  const made = element("button", { type: "button", class: className }, text);
  made.addEventListener("click", onClick);
  return made;
}

const urls = new WeakMap<Blob, string>();
const unused = new FinalizationRegistry<string>((url) => URL.revokeObjectURL(url));

/** An object URL of bytes: always the same one, freed once nothing on the page has the bytes any more. */
export function objectUrl(bytes: Blob): string {
  const known = urls.get(bytes);
  if (known !== undefined) return known;
  const url = URL.createObjectURL(bytes);
  urls.set(bytes, url);
  unused.register(bytes, url);
  return url;
}

/** The bytes of each image that is shown: its URL is valid for as long as it is there. */
const shown = new WeakMap<HTMLImageElement, Blob>();

/** Shows bytes through an object URL; decoded beside the page's own work. */
export function show(image: HTMLImageElement, bytes: Blob): void {
  image.decoding = "async";
  image.src = objectUrl(bytes);
  shown.set(image, bytes);
}
