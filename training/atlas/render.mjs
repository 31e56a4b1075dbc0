// Renders the objects of objects.txt to one sheet, atlas.png, with their places and names in atlas.json.
// A few of them come a second time, large, in large/: the example pictures are drawn from those.
// Run once (`npm ci && npm run render`); the results are committed, training needs no Node.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { deflateSync, crc32 } from 'node:zlib'
import { Resvg } from '@resvg/resvg-js'

const CELL = 112 // pixels: the longer side of a sprite
const LARGE = 640
const COLUMNS = 16
const LARGE_NAMES = ['bluebird', 'red bird', 'fox', 'car', 'tree', 'sunflower', 'teapot', 'mushroom', 'house', 'cat']

const require = createRequire(import.meta.url)
const iconSets = {
  noto: require('@iconify-json/noto/icons.json'),
  fluent: require('@iconify-json/fluent-emoji-flat/icons.json'),
}

const objects = readFileSync(new URL('objects.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.trim() && !line.startsWith('#'))
  .map((line) => {
    const [name, icon, kind, others] = line.split('|').map((cell) => cell.trim())
    const [set, id] = icon.includes(':') ? icon.split(':') : ['noto', icon]
    return { name, set, id, kind, names: [name, ...others.split(',').map((other) => other.trim()).filter(Boolean)] }
  })

/** Renders one icon, cropped to what it shows, so that its longer side is `size` pixels. Straight alpha. */
function renderIcon({ set, id, name }, size) {
  const icons = iconSets[set]
  const icon = icons.icons[id]
  if (!icon) throw new Error(`No icon ${set}:${id} for "${name}".`)
  const side = icons.width
  const svg = (box) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}">${icon.body}</svg>`
  // The box is found on the pixels: the geometric one counts invisible clip paths too.
  const probe = new Resvg(svg(`0 0 ${side} ${side}`), { fitTo: { mode: 'width', value: 256 } }).render().pixels
  let [left, top, right, bottom] = [256, 256, 0, 0]
  for (let y = 0; y < 256; y++)
    for (let x = 0; x < 256; x++)
      if (probe[(y * 256 + x) * 4 + 3] > 8) {
        left = Math.min(left, x); right = Math.max(right, x + 1)
        top = Math.min(top, y); bottom = Math.max(bottom, y + 1)
      }
  const unit = side / 256
  const wide = right - left >= bottom - top
  const image = new Resvg(svg([left * unit, top * unit, (right - left) * unit, (bottom - top) * unit].join(' ')), {
    fitTo: { mode: wide ? 'width' : 'height', value: size },
  }).render()
  const pixels = Buffer.from(image.pixels)
  for (let i = 0; i < pixels.length; i += 4) // resvg multiplies colour by alpha
    for (let c = 0; c < 3; c++) pixels[i + c] = pixels[i + 3] ? Math.min(255, Math.round((pixels[i + c] * 255) / pixels[i + 3])) : 0
  return { width: image.width, height: image.height, pixels }
}

function encodePng(width, height, rgba) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(crc32(body), body.length + 4)
    return out
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 6, 0, 0, 0], 8)
  const stride = width * 4
  const lines = Buffer.alloc(height * (stride + 1))
  for (let y = 0; y < height; y++) {
    lines[y * (stride + 1)] = 1 // filter "sub": each byte less the one a pixel to the left
    for (let x = 0; x < stride; x++) lines[y * (stride + 1) + 1 + x] = rgba[y * stride + x] - (x >= 4 ? rgba[y * stride + x - 4] : 0)
  }
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header), chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0)),
  ])
}

const rows = Math.ceil(objects.length / COLUMNS)
const width = COLUMNS * CELL
const sheet = Buffer.alloc(width * rows * CELL * 4)
const places = objects.map((object, index) => {
  const sprite = renderIcon(object, CELL)
  const x = (index % COLUMNS) * CELL
  const y = Math.floor(index / COLUMNS) * CELL
  for (let row = 0; row < sprite.height; row++)
    sprite.pixels.copy(sheet, ((y + row) * width + x) * 4, row * sprite.width * 4, (row + 1) * sprite.width * 4)
  return { name: object.name, names: object.names, kind: object.kind, icon: `${object.set}:${object.id}`,
    box: [x, y, sprite.width, sprite.height] }
})
const here = (name) => new URL(name, import.meta.url)
writeFileSync(here('atlas.png'), encodePng(width, rows * CELL, sheet))
writeFileSync(here('atlas.json'), '[\n' + places.map((place) => '  ' + JSON.stringify(place)).join(',\n') + '\n]\n')

mkdirSync(here('large/'), { recursive: true })
for (const name of LARGE_NAMES) {
  const sprite = renderIcon(objects.find((object) => object.name === name), LARGE)
  writeFileSync(here(`large/${name.replaceAll(' ', '-')}.png`), encodePng(sprite.width, sprite.height, sprite.pixels))
}
console.log(`${objects.length} objects`)
