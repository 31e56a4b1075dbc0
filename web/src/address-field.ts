/** An image by its address: the server fetches it, since this page may load nothing from elsewhere. */
import { find } from "./dom.ts";

/** Texts that are an address and nothing else. */
const ADDRESS = /^https?:\/\/\S+$/i;

/** @param onAddress called with an address that was typed, or pasted anywhere but into a field */
export function createAddressField(onAddress: (address: string) => void): void {
  const open = find("address-open");
  const row = find("address-row");
  const field = find<HTMLInputElement>("address");
  const problem = find("address-error");

  function take(): void {
    const text = field.value.trim();
    const isAddress = ADDRESS.test(text);
    problem.textContent = isAddress ? "" : "An address begins with http:// or https://.";
    if (!isAddress) return field.focus();
    field.value = "";
    onAddress(text);
  }

  open.addEventListener("click", () => {
    row.hidden = !row.hidden;
    open.setAttribute("aria-expanded", String(!row.hidden));
    if (!row.hidden) field.focus();
  });
  find("address-take").addEventListener("click", take);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    // It is no form of its own.
    event.preventDefault();
    take();
  });
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain").trim() ?? "";
    const isWriting = event.target instanceof Element && event.target.closest("input, textarea") !== null;
    if (!isWriting && ADDRESS.test(text) && event.clipboardData?.files.length === 0) onAddress(text);
  });
}
