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

/** Shows bytes through an object URL; frees the one that the element had before. */
export function show(image: HTMLImageElement, bytes: Blob): void {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(bytes);
}
