// Format the plugin's Lua with StyLua, or with `--check` only say what is not formatted.
//
//   NODE_PATH=…/node_modules node tests/neovim/format.cjs [--check]
const fs = require('node:fs');
const path = require('node:path');
const { Config, IndentType, LuaVersion, OutputVerification, QuoteStyle, formatCode } = require('@johnnymorganz/stylua');

const root = path.join(__dirname, '..', '..');
const plugin = path.join(root, 'editors', 'neovim');

// The few settings that stylua.toml has, so that an editor's StyLua and this one agree.
function config() {
  const text = fs.readFileSync(path.join(plugin, 'stylua.toml'), 'utf8');
  const settings = Object.fromEntries([...text.matchAll(/^(\w+) = "?(\w+)"?$/gm)].map((found) => [found[1], found[2]]));
  const made = Config.new();
  made.syntax = LuaVersion.LuaJIT;
  made.column_width = Number(settings.column_width);
  made.indent_type = IndentType[settings.indent_type];
  made.indent_width = Number(settings.indent_width);
  made.quote_style = QuoteStyle[settings.quote_style];
  return made;
}

const files = [plugin, path.join(root, 'tests', 'neovim')].flatMap((folder) =>
  fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.lua'))
    .map((name) => path.join(folder, name)),
);
const isCheck = process.argv.includes('--check');
let unformatted = 0;
for (const file of files) {
  const text = fs.readFileSync(file, 'utf8');
  const formatted = formatCode(text, config(), undefined, OutputVerification.Full);
  if (formatted === text) continue;
  unformatted += 1;
  if (isCheck) {
    console.error(`${path.relative(root, file)} is not formatted`);
  } else {
    fs.writeFileSync(file, formatted);
  }
}
if (isCheck && unformatted > 0) {
  console.error('run: NODE_PATH=… node tests/neovim/format.cjs');
  process.exit(1);
}
console.log(`${files.length} Lua files, ${unformatted} ${isCheck ? 'not formatted' : 'formatted anew'}`);
