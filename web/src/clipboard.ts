/** Copying on every address: browsers have `navigator.clipboard` in secure contexts only, and may refuse it there. */

/**
 * Copies what an element shows. Must be called by a click.
 * @returns whether it is copied; where it is not, it is selected, ready for Ctrl+C
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

/** The old way, which needs a selection: it stays where it fails, and otherwise is gone as it came. */
function copySelected(shown: HTMLElement, text: string): boolean {
  const selection = getSelection();
  selection?.selectAllChildren(shown);
  // The text itself, not what the browser makes of its layout.
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
