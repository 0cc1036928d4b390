// The build puts the module with the functions of commands in here, as base64: a slot can fetch nothing.
declare module "wasi-guest" {
  const base64: string;
  export default base64;
}
