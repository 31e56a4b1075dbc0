/**
 * A certificate for the name pictures.test that nobody trusts unasked, valid until 2126, and its key, which is used
 * for nothing else: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500
 * -subj /CN=pictures.test -addext subjectAltName=DNS:pictures.test
 */
export const certificate = `
-----BEGIN CERTIFICATE-----
MIIBoDCCAUegAwIBAgIUZo70KLTAqcZLJze+/rUDZ4wR+90wCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNcGljdHVyZXMudGVzdDAgFw0yNjExMjQxNjI4MTVaGA8yMTI2
MTAzMTE2MjgxNVowGDEWMBQGA1UEAwwNcGljdHVyZXMudGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABEvnTzKgpB8aO99orubyRnwyrmCUS5WogD+D50rrf5wj
ys07H1L1bLyRcDClfVfNoowZjOJyHSodZ7OLaJFhMjejbTBrMB0GA1UdDgQWBBR/
vBVw89QK0TmGFdEA+nDIXfE48DAfBgNVHSMEGDAWgBR/vBVw89QK0TmGFdEA+nDI
XfE48DAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDXBpY3R1cmVzLnRlc3Qw
CgYIKoZIzj0EAwIDRwAwRAIgY4bZP5i9bTsY6xBHiKDFsSo8VNpc9qQhiamcucuA
PkQCICAgKeeW1uFvOF090YlA/06wjfWYO4/GDMU75oIa021b
-----END CERTIFICATE-----
`.trim();

export const certificateKey = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZXE2+Uwlo4abjNJn
XbuO2haMPAAoX7MEZGGSenBnkKuhRANCAARL508yoKQfGjvfaK7m8kZ8Mq5glEuV
qIA/g+dK63+cI8rNOx9S9Wy8kXAwpX1XzaKMGYzich0qHWezi2iRYTI3
-----END PRIVATE KEY-----
`.trim();
