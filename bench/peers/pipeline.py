"""The pipeline of Open edX's `verify_student` as one would write it plainly today: WSGI, Celery, Pillow, pycryptodome.

`gunicorn pipeline:application` takes submissions and callbacks and serves the stored photos to the vendor; `celery -A
pipeline worker` speaks to the vendor and sends mail. What it does is what the vendor's wire format asks for, no more.
A job lives in Redis alone: one that is lost between the commit and Redis stays lost.
"""

import base64
import hashlib
import hmac
import io
import json
import os
import smtplib
import threading
import uuid
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

import psycopg2
import requests
from celery import Celery
from Crypto.Cipher import AES, PKCS1_OAEP
from Crypto.PublicKey import RSA
from Crypto.Util.Padding import pad
from PIL import Image

FACE_KEY = bytes.fromhex(os.environ["FACE_KEY"])
WRAP = PKCS1_OAEP.new(RSA.import_key(os.environ["VENDOR_RSA_PUBLIC_KEY"]))
ACCESS_KEY, SECRET_KEY = os.environ["VENDOR_ACCESS_KEY"], os.environ["VENDOR_SECRET_KEY"].encode()
JWT_SECRET = os.environ["JWT_SECRET"].encode()
PUBLIC_URL, VENDOR_URL = os.environ["PUBLIC_URL"], os.environ["VENDOR_URL"]
FOLDER = Path(os.environ["PHOTO_FOLDER"])

app = Celery("pipeline", broker=os.environ["REDIS_URL"])
app.conf.update(task_ignore_result=True, worker_send_task_events=False, broker_connection_retry_on_startup=True)


class Kept(threading.local):
    """One connection a thread, made when it is first needed; the same for HTTP."""

    database = None
    session = None


kept = Kept()


def run(statement, values):
    """Runs a statement and commits; its first row, if it returns any."""
    kept.database = kept.database or psycopg2.connect(os.environ["DATABASE_URL"])
    with kept.database as database, database.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() if cursor.description else None


# Photos


def decode(data_url):
    """The photo in a data URL, read whole and written anew by Pillow, which leaves its metadata behind."""
    photo, clean = base64.b64decode(data_url.split(",", 1)[1]), io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        image.save(clean, image.format, **({"quality": "keep"} if image.format == "JPEG" else {}))
    return clean.getvalue()


def encrypt(photo, key):
    """AES-CBC with the initialisation vector that the vendor derives from the key."""
    first = hashlib.md5(key).hexdigest()
    vector = hashlib.md5(key + first.encode()).hexdigest()[:16].encode()
    return base64.urlsafe_b64encode(AES.new(key, AES.MODE_CBC, vector).encrypt(pad(photo, 16)))


def wrap(key):
    return base64.b64encode(WRAP.encrypt(key)).decode()


# What is signed


def signature(date, body, content_type=None):
    lines = ["POST", ""] + [value for value in (content_type, date) if value]
    lines += [f"{key}:{body[key]}" for key in sorted(body)]
    tag = hmac.digest(SECRET_KEY, ("\n".join(lines) + "\n").encode(), "sha256")
    return f"SSI {ACCESS_KEY}:{base64.b64encode(tag).decode()}"


def user_of(token):
    """Whose token this is, as the learning platform signed it (HS256)."""
    head, claims, signed = token.split(".")
    tag = hmac.digest(JWT_SECRET, f"{head}.{claims}".encode(), "sha256")
    if not hmac.compare_digest(base64.urlsafe_b64encode(tag).rstrip(b"=").decode(), signed):
        raise PermissionError("the token is not signed by the platform")
    return int(json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])


# Jobs


@app.task(bind=True, autoretry_for=(requests.RequestException,), retry_backoff=True, max_retries=12)
def submit_to_vendor(task, receipt):
    name, photo_id_key = run("SELECT name, photo_id_key FROM peer_attempts WHERE receipt = %s", (receipt,))
    body = {
        "EdX-ID": receipt,
        "ExpectedName": name,
        "PhotoID": f"{PUBLIC_URL}/photos/photo_id/{receipt}",
        "PhotoIDKey": photo_id_key,
        "SendResponseTo": f"{PUBLIC_URL}/verify_student/results_callback",
        "UserPhoto": f"{PUBLIC_URL}/photos/face/{receipt}",
        "UserPhotoKey": wrap(FACE_KEY),
    }
    date, content_type = formatdate(usegmt=True), "application/json"
    headers = {"Content-Type": content_type, "Date": date, "Authorization": signature(date, body, content_type)}
    kept.session = kept.session or requests.Session()
    kept.session.post(VENDOR_URL, data=json.dumps(body), headers=headers, timeout=10).raise_for_status()
    run("UPDATE peer_attempts SET submitted_at = now() WHERE receipt = %s", (receipt,))


MAILS = {
    "submitted": ("Your photos are here", "your photos have arrived and are being looked at."),
    "approved": ("You are verified", "your identity has been verified. Nothing is left to do."),
}


@app.task(bind=True, autoretry_for=(OSError, smtplib.SMTPException), retry_backoff=True, max_retries=12)
def send_mail(task, receipt, status):
    address, name = run(
        "SELECT email, full_name FROM peer_attempts JOIN users USING (user_id) WHERE receipt = %s", (receipt,)
    )
    mail, (subject, text) = EmailMessage(), MAILS[status]
    mail["Subject"], mail["From"], mail["To"] = subject, "Vouch <vouch@example.com>", address
    mail.set_content(f"Hello {name},\n\n{text}\n")
    host, port = os.environ["SMTP"].rsplit(":", 1)
    with smtplib.SMTP(host, int(port), timeout=10) as server:
        server.send_message(mail)


# The web


def submit(environ, body):
    user = user_of(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "))
    face, photo_id = decode(body["face_image"]), decode(body["photo_id_image"])
    receipt, photo_id_key = str(uuid.uuid4()), os.urandom(32)
    (FOLDER / "face" / receipt).write_bytes(encrypt(face, FACE_KEY))
    (FOLDER / "photo_id" / receipt).write_bytes(encrypt(photo_id, photo_id_key))
    run(
        "INSERT INTO peer_attempts (receipt, user_id, name, photo_id_key, status)"
        " SELECT %s, user_id, full_name, %s, 'submitted' FROM users WHERE user_id = %s",
        (receipt, wrap(photo_id_key), user),
    )
    submit_to_vendor.delay(receipt)
    send_mail.delay(receipt, "submitted")
    return {"receipt": receipt}


def call_back(environ, body):
    if not hmac.compare_digest(environ["HTTP_AUTHORIZATION"], signature(environ["HTTP_DATE"], body)):
        raise PermissionError("the callback is not signed by the vendor")
    status = {"PASS": "approved", "FAIL": "denied"}[body["Result"]]
    changed = run(
        "UPDATE peer_attempts SET status = %s WHERE receipt = %s AND status <> 'approved' RETURNING true",
        (status, body["EdX-ID"]),
    )
    if changed and status == "approved":
        send_mail.delay(body["EdX-ID"], status)
    return {}


POSTS = {"/verify_student/submit-photos/": submit, "/verify_student/results_callback": call_back}


def application(environ, start_response):
    path, content_type = environ["PATH_INFO"], "application/json"
    if path.startswith("/photos/"):
        kind, receipt = path.split("/")[2:]
        status, answer, content_type = "200 OK", (FOLDER / kind / str(uuid.UUID(receipt))).read_bytes(), "text/plain"
    elif environ["REQUEST_METHOD"] == "POST" and path in POSTS:
        try:
            body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            status, answer = "200 OK", json.dumps(POSTS[path](environ, body)).encode()
        except PermissionError as error:
            status, answer = "401 Unauthorized", str(error).encode()
    else:
        status, answer = "404 Not Found", b""
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(answer)))])
    return [answer]
