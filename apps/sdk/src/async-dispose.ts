// Defines `Symbol.asyncDispose` where the platform lacks it (Safari, older browsers), so that `await using`
// works there when a compiler translates it. Must run before any class that uses the symbol is defined: the
// browser entry imports this first. The same registry symbol as other polyfills use.

if (Symbol.asyncDispose === undefined) {
  Object.defineProperty(Symbol, "asyncDispose", { value: Symbol.for("Symbol.asyncDispose") });
}
