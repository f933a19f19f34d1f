package dev.lethe.assess.record;

import dev.lethe.LetheException;
import dev.lethe.format.StrictJson;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/** Ed25519 signatures (RFC 8032) with keys in PEM, as {@code openssl genpkey -algorithm ed25519} writes them. */
public final class Signing {
  private static final String ALGORITHM = "Ed25519";
  private static final long KEY_BYTES = 1 << 16;

  private Signing() {}

  /** A private key: PKCS #8 in PEM. */
  public static PrivateKey privateKey(Path file) {
    try {
      return KeyFactory.getInstance(ALGORITHM).generatePrivate(new PKCS8EncodedKeySpec(bytes(file, "PRIVATE KEY")));
    } catch (GeneralSecurityException e) {
      throw refused(file, "PRIVATE KEY", e);
    }
  }

  /** A public key: X.509 in PEM, as {@code openssl pkey -pubout} writes it. */
  public static PublicKey publicKey(Path file) {
    try {
      return KeyFactory.getInstance(ALGORITHM).generatePublic(new X509EncodedKeySpec(bytes(file, "PUBLIC KEY")));
    } catch (GeneralSecurityException e) {
      throw refused(file, "PUBLIC KEY", e);
    }
  }

  static String sign(PrivateKey key, String text) {
    try {
      Signature signature = Signature.getInstance(ALGORITHM);
      signature.initSign(key);
      signature.update(text.getBytes(StandardCharsets.UTF_8));
      return Base64.getEncoder().encodeToString(signature.sign());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has Ed25519", e);
    }
  }

  static boolean verifies(PublicKey key, String text, String signed) {
    try {
      Signature signature = Signature.getInstance(ALGORITHM);
      signature.initVerify(key);
      signature.update(text.getBytes(StandardCharsets.UTF_8));
      return signature.verify(Base64.getDecoder().decode(signed));
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      return false;
    }
  }

  private static byte[] bytes(Path file, String kind) {
    String text = StrictJson.readText(file, KEY_BYTES).strip();
    String begin = "-----BEGIN " + kind + "-----";
    String end = "-----END " + kind + "-----";
    if (!text.startsWith(begin) || !text.endsWith(end)) {
      throw refused(file, kind, null);
    }
    try {
      return Base64.getMimeDecoder().decode(text.substring(begin.length(), text.length() - end.length()));
    } catch (IllegalArgumentException e) {
      throw refused(file, kind, e);
    }
  }

  private static LetheException refused(Path file, String kind, Exception cause) {
    return new LetheException(
        file.toString(),
        "is no Ed25519 key that can be used here",
        "PEM with BEGIN " + kind,
        null,
        "Make one by 'openssl genpkey -algorithm ed25519 -out key.pem' and 'openssl pkey -in key.pem -pubout -out pub.pem'.",
        cause);
  }
}
