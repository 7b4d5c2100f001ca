// The rules that the editor's modules and their tests keep to.
import js from "@eslint/js";

// What every browser has; node's names, for the tests, are imported.
const COMMON = Object.fromEntries(
  ["atob", "btoa", "structuredClone", "TextDecoder", "TextEncoder", "URL"].map((name) => [name, "readonly"]),
);
// What a page has beside that. The pure modules in web/js/core run without it.
const PAGE = Object.fromEntries(
  `AbortController Blob createImageBitmap document Event fetch FormData getComputedStyle Image IntersectionObserver location
   ResizeObserver URLSearchParams clearTimeout setTimeout window`
    .split(/\s+/)
    .map((name) => [name, "readonly"]),
);

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: COMMON },
    rules: {
      complexity: ["error", 12],
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "max-lines": ["error", 250],
      "max-lines-per-function": ["error", 50],
      "no-console": "error",
      "no-param-reassign": "error",
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["web/*.js", "web/js/{view,editor,node,panel}/**", "tests/editor/page/*.js"],
    languageOptions: { globals: PAGE },
  },
];
