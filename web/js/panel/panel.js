/** Placeholder until the panel is merged. */
export const createPanel = () => ({ element: document.createElement("div"), dispose() {} });
