/** What was typed and chosen in a form, valid or not, by the ids of its fields. */

export type FormSnapshot = Readonly<Record<string, string | boolean>>;

type Field = HTMLInputElement | HTMLSelectElement;

const fieldsOf = (box: HTMLElement): Field[] => [
  ...box.querySelectorAll<Field>("input[id]:not([type=file]), select[id]"),
];
const isCheckbox = (field: Field): field is HTMLInputElement => field.type === "checkbox";

export const snapshotOf = (box: HTMLElement): FormSnapshot =>
  Object.fromEntries(
    fieldsOf(box).map((field) => [
      field.id,
      isCheckbox(field) ? (field as HTMLInputElement).checked : field.value,
    ]),
  );

/** Fields that the snapshot does not know stay as they are. */
export function restore(box: HTMLElement, snapshot: FormSnapshot): void {
  for (const field of fieldsOf(box)) {
    const value = snapshot[field.id];
    if (value === undefined) continue;
    if (isCheckbox(field)) field.checked = value === true;
    else {
      // A choice that the server has not named yet.
      if (field instanceof HTMLSelectElement && ![...field.options].some((one) => one.value === value))
        field.append(new Option(String(value), String(value)));
      field.value = String(value);
    }
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
