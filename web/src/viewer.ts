/** The result beside its source: under a divider, side by side, or under a map of what was kept; enlarged as wanted. */
import type { PreserveShares } from "./api.ts";
import { compare, type Names } from "./compare.ts";
import { button, element, show } from "./dom.ts";
import { drawMap, mapLegend } from "./kept-map.ts";
import { addZoom } from "./zoom.ts";

export interface Viewed {
  before: Blob | undefined;
  after: Blob;
  /** Which pixels were copied, carried over and drawn. */
  map: Blob | undefined;
  shares: PreserveShares | undefined;
  /** The instruction, which describes the result. */
  prompt: string;
  /** @default before and after */
  names?: Names;
}

type Mode = "divider" | "side" | "result" | "map";
const MODES: readonly (readonly [Mode, string])[] = [
  ["divider", "Compare"],
  ["side", "Side by side"],
  ["result", "Result"],
  ["map", "What was kept"],
];
/** Sides whose ratios differ by more than this do not lie on top of each other. */
const SAME_SHAPE = 0.02;

/** @returns the frame with its buttons */
export function createViewer(viewed: Viewed): HTMLElement {
  const { before, after, map, shares, prompt, names = ["Before", "After"] } = viewed;
  const box = element("div", { class: "viewer" });
  const holder = element("div", { class: "holder" });
  let frame: HTMLElement = element("div", { class: "compare" });
  let zoomControls: HTMLElement = element("div");
  const isOffered = (mode: Mode): boolean =>
    mode === "result" || (mode === "map" ? map !== undefined : before !== undefined);
  const modes = MODES.filter(([mode]) => isOffered(mode)).map(([mode, label]) => {
    const made = button(label, () => choose(mode, { isWanted: true }), "tool");
    return [mode, made] as const;
  });

  function choose(mode: Mode, { isWanted = false } = {}): void {
    if (isWanted) rememberMode(mode);
    for (const [own, made] of modes) made.setAttribute("aria-pressed", String(own === mode));
    const views = mode === "divider" ? [compare(before!, after, names)] : single(mode);
    holder.replaceChildren(...views);
    holder.classList.toggle("halves", mode === "side");
    frame = views[0]!;
    const controls = addZoom(frame, () => [...holder.querySelectorAll<HTMLElement>(".layer")]);
    zoomControls.replaceWith(controls);
    zoomControls = controls;
    legend.hidden = mode !== "map";
  }

  function single(mode: Mode): HTMLElement[] {
    const result = pictureFrame(after, before ? names[1] : `Drawn from: ${prompt}`, "after");
    if (mode === "side") return [result, pictureFrame(before!, names[0], "before")].toReversed();
    if (mode === "map") {
      void drawMap(map!)
        .then((canvas) => {
          canvas.classList.add("layer");
          result.append(canvas);
        })
        // A browser that cannot read the map still shows the result.
        .catch(() => undefined);
    }
    return [result];
  }

  const legend = mapLegend(shares);
  const tools = element("div", { class: "toolbar" });
  if (modes.length > 1) {
    const label = { class: "tools", role: "group", "aria-label": "View" };
    tools.append(element("div", label, ...modes.map(([, made]) => made)));
  }
  const held = viewed.names?.[0].toLowerCase() ?? "original";
  if (before !== undefined) tools.append(holdButton(() => frame, before, held));
  tools.append(zoomControls);
  if (document.fullscreenEnabled) {
    tools.append(
      button(
        "Full screen",
        () => void (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen()),
        "tool",
      ),
    );
  }
  box.append(holder, tools, legend);
  const wanted = wantedMode();
  if (wanted !== undefined && isOffered(wanted)) choose(wanted);
  else {
    choose(before === undefined ? "result" : "divider");
    if (before !== undefined) void haveSameShape(before, after).then((same) => !same && choose("side"));
  }
  return box;
}

/** The way to look that was chosen last in this tab, which the next result and the next load keep. */
const MODE = "retouch-view";

function rememberMode(mode: Mode): void {
  try {
    sessionStorage.setItem(MODE, mode);
  } catch {
    // A browser that lets pages store nothing begins with the usual one.
  }
}

function wantedMode(): Mode | undefined {
  try {
    const kept = sessionStorage.getItem(MODE);
    return MODES.map(([mode]) => mode).find((mode) => mode === kept);
  } catch {
    return undefined;
  }
}

function pictureFrame(bytes: Blob, alt: string, name: string): HTMLElement {
  const picture = element("img", { class: `${name} layer`, alt });
  const frame = element("div", { class: "compare single" }, picture);
  picture.addEventListener("load", () => {
    frame.style.setProperty("--aspect", `${picture.naturalWidth} / ${picture.naturalHeight}`);
    frame.style.setProperty("--ratio", String(picture.naturalWidth / picture.naturalHeight));
  });
  show(picture, bytes);
  return frame;
}

/** Shows the original while it is held, by mouse, finger or key. */
function holdButton(frame: () => HTMLElement, before: Blob, name: string): HTMLButtonElement {
  const made = element("button", { type: "button", class: "tool" }, `Hold to see the ${name}`);
  let cover: HTMLImageElement | undefined;
  const hold = (): void => {
    if (cover !== undefined) return;
    cover = element("img", { class: "cover", alt: `The ${name}` });
    show(cover, before);
    const picture = frame().querySelector<HTMLElement>(".layer");
    cover.style.transform = picture?.style.transform ?? "";
    cover.style.transformOrigin = "0 0";
    frame().append(cover);
    made.setAttribute("aria-pressed", "true");
  };
  const release = (): void => {
    cover?.remove();
    cover = undefined;
    made.setAttribute("aria-pressed", "false");
  };
  made.setAttribute("aria-pressed", "false");
  made.addEventListener("pointerdown", (event) => {
    made.setPointerCapture(event.pointerId);
    hold();
  });
  made.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && hold());
  for (const kind of ["pointerup", "pointercancel", "keyup", "blur"] as const)
    made.addEventListener(kind, release);
  return made;
}

async function haveSameShape(one: Blob, other: Blob): Promise<boolean> {
  const ratios = await Promise.all(
    [one, other].map(async (bytes) => {
      const bitmap = await createImageBitmap(bytes);
      const ratio = bitmap.width / bitmap.height;
      bitmap.close();
      return ratio;
    }),
  ).catch(() => [1, 1]);
  return Math.abs(ratios[0]! / ratios[1]! - 1) <= SAME_SHAPE;
}
