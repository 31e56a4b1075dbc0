/** Copies in any context: `navigator.clipboard` exists only in secure ones, and may be refused there. */
import { element } from "./dom.ts";

/**
 * Copies what an element shows. Must be called from a click.
 * @returns whether it was copied; if not, it is selected, ready for Ctrl+C
 */
export async function copyTextOf(shown: HTMLElement): Promise<boolean> {
  const text = shown.textContent;
  // Undefined in an insecure context, whatever its type says.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  const isCopied = await clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  return isCopied === true || copySelected(shown, text);
}

/** Copies text that is nowhere on the page. @returns whether it was copied */
export async function copyText(text: string): Promise<boolean> {
  const shown = element("span", { class: "unseen" }, text);
  document.body.append(shown);
  const isCopied = await copyTextOf(shown);
  shown.remove();
  return isCopied;
}

/** The old way, which needs a selection: it is removed after success, and stays after a failure. */
function copySelected(shown: HTMLElement, text: string): boolean {
  const selection = getSelection();
  selection?.selectAllChildren(shown);
  // The text itself, not the browser's rendering of its layout.
  const write = (event: ClipboardEvent): void => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", write);
  try {
    const isCopied = document.execCommand("copy");
    if (isCopied) selection?.removeAllRanges();
    return isCopied;
  } catch {
    return false;
  } finally {
    document.removeEventListener("copy", write);
  }
}
