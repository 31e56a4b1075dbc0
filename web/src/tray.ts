/** The chosen images as thumbnails, in the order in which they are sent, each with a button that removes it. */
import { button, element, find, show } from "./dom.ts";

export interface TrayActions {
  /** Makes this image the first one, which is edited. */
  onFirst: (index: number) => void;
  onRemove: (index: number) => void;
}

/** @param numSent how many of the images this model takes; the rest is marked */
export function drawTray(images: readonly Blob[], numSent: number, { onFirst, onRemove }: TrayActions): void {
  const tray = find("tray");
  tray.replaceChildren(
    ...images.map((bytes, index) => {
      const number = index + 1;
      const isSent = index < numSent;
      const picture = element("img");
      show(picture, bytes);
      picture.alt = index === 0 ? "Image 1, the one being edited" : `Image ${number}: edit this one`;
      const frame =
        index === 0
          ? element("span", { class: "thumbnail first" })
          : button("", () => onFirst(index), "thumbnail");
      frame.append(picture);
      const remove = button("×", () => onRemove(index), "remove");
      remove.setAttribute("aria-label", `Remove image ${number}`);
      const place = isSent ? String(number) : "not sent";
      const caption = element("span", { class: "faint caption" }, index === 0 ? "edited" : place);
      return element("li", isSent ? {} : { class: "unsent" }, frame, remove, caption);
    }),
  );
}

/** Puts the focus where the list goes on after an image was removed. */
export function focusTray(index: number): void {
  const buttons = find("tray").querySelectorAll<HTMLElement>(".remove");
  (buttons[Math.min(index, buttons.length - 1)] ?? find("file")).focus();
}
