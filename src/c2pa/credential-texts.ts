/** The certificate and key of content credentials as texts, apart from Node's types: programs without those see this one. */

/** As the operator gives them. */
export interface CredentialTexts {
  /** In PEM: the signing certificate, then those between it and a root, each signed by the next. */
  certificates: string;
  /** PKCS #8 in PEM. */
  key: string;
}
