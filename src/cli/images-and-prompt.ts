/** The arguments of `retouch edit`: any number of images, then the prompt. */
import { statSync } from "node:fs";
import { invalid, RetouchError, shownValue } from "../errors.ts";

export interface ImagesAndPrompt {
  images: string[];
  prompt: string;
}

const ADDRESS = /^(?:https?:|data:)\S*$/i;
/** One word with the ending of an image's name, whether it is there or not. */
const FILE_NAME = /^\S+\.(?:png|jpe?g|webp|avif|gif|tiff?)$/i;

/**
 * The last argument is the prompt, unless it is an image itself.
 * @throws RetouchError INVALID_PARAMETER if the prompt is missing, or was not put in quotes
 */
export function imagesAndPrompt(given: readonly string[]): ImagesAndPrompt {
  const images = given.slice(0, -1);
  const prompt = given.at(-1)!;
  if (isImage(prompt)) {
    throw invalid("about", {
      field: "prompt",
      sentence: `it is missing: ${shownValue(prompt)} is an image.`,
    });
  }
  const word = images.find((image) => !isImage(image));
  if (word !== undefined && images.length > 1) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${shownValue(word)} is no image that is there; put the prompt in quotes.`,
    );
  }
  return { images, prompt };
}

const isImage = (text: string): boolean =>
  text === "-" || ADDRESS.test(text) || FILE_NAME.test(text) || isFile(text);

function isFile(text: string): boolean {
  try {
    return statSync(text).isFile();
  } catch {
    // Such as one that is too long for a name.
    return false;
  }
}
