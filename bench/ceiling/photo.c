/* The least that photo work costs: what the C libraries take to decode the photos of an attempt, to encrypt them and
 * to wrap their keys. Prints the seconds of CPU that one attempt takes.
 *
 *   photo KEY.pem ROUNDS PHOTO...
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <turbojpeg.h>

static void need(int is_well, const char *what) {
  if (!is_well) {
    fprintf(stderr, "photo: %s failed\n", what);
    exit(1);
  }
}

static unsigned char *read_all(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  need(file != NULL, path);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*size);
  need(bytes != NULL && fread(bytes, 1, *size, file) == *size, path);
  fclose(file);
  return bytes;
}

static void decode(tjhandle decoder, const unsigned char *photo, size_t size) {
  int width, height, subsampling, colours;
  need(!tjDecompressHeader3(decoder, photo, size, &width, &height, &subsampling, &colours), "the header");
  unsigned char *pixels = malloc((size_t)width * height * 3);
  need(pixels && !tjDecompress2(decoder, photo, size, pixels, width, 0, height, TJPF_RGB, 0), "decoding");
  free(pixels);
}

static void encrypt(EVP_PKEY *vendor, const unsigned char *photo, size_t size) {
  unsigned char key[32], iv[16], wrapped[1024], *out = malloc(size + 16);
  int length, rest;
  size_t wrapped_size = sizeof wrapped;
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  need(out && cipher && RAND_bytes(key, sizeof key) == 1 && RAND_bytes(iv, sizeof iv) == 1, "a key");
  need(EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv) == 1, "AES");
  need(EVP_EncryptUpdate(cipher, out, &length, photo, (int)size) == 1, "AES");
  need(EVP_EncryptFinal_ex(cipher, out + length, &rest) == 1, "AES");
  EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new(vendor, NULL);
  need(rsa && EVP_PKEY_encrypt_init(rsa) == 1, "RSA");
  need(EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_OAEP_PADDING) == 1, "OAEP");
  need(EVP_PKEY_encrypt(rsa, wrapped, &wrapped_size, key, sizeof key) == 1, "RSA");
  EVP_PKEY_CTX_free(rsa);
  EVP_CIPHER_CTX_free(cipher);
  free(out);
}

int main(int count, char **arguments) {
  need(count > 3, "reading the arguments");
  FILE *file = fopen(arguments[1], "r");
  need(file != NULL, arguments[1]);
  EVP_PKEY *vendor = PEM_read_PUBKEY(file, NULL, NULL, NULL);
  need(vendor != NULL, "the vendor's key");
  int rounds = atoi(arguments[2]), photos = count - 3;
  unsigned char **photo = calloc(photos, sizeof *photo);
  size_t *size = calloc(photos, sizeof *size);
  need(rounds > 0 && photo && size, "reading the arguments");
  for (int i = 0; i < photos; i++)
    photo[i] = read_all(arguments[i + 3], &size[i]);
  tjhandle decoder = tjInitDecompress();
  need(decoder != NULL, "libjpeg-turbo");
  clock_t began = clock();
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < photos; i++) {
      decode(decoder, photo[i], size[i]);
      encrypt(vendor, photo[i], size[i]);
    }
  printf("%.9f\n", (double)(clock() - began) / CLOCKS_PER_SEC / rounds);
  return 0;
}
