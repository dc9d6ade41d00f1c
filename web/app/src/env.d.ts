/// <reference types="svelte" />
/// <reference types="vite/client" />

declare const __MODEL_SHA256__: string;
declare const __MODEL_BYTES__: number;
declare const __FONT_SHA256__: string;
declare const __FONT_BYTES__: number;
