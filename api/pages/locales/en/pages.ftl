# Texts of the learner's pages. Keys that begin with `js-` are shown by the script.
# A new text needs an entry in every language; the unit tests of `api` tell what is missing or left over.

## Around every page

skip-to-content = Skip to content
language = Language
help = Questions about this page?
to-dashboard = Go to my dashboard
to-course = Go to the course
try-again = Take new photos
reload = Try again
back = Back
progress = Your progress
next-named = Next: { $step }
no-script = This page takes photos and sends them with JavaScript, which is switched off. Switch it on in your browser's settings and load the page again, or open the page in another browser.
deadline = You must be verified by { $date }.

## Titles, for languages other than that of the facts, and for pages without one

title-pay-and-verify-upgrade = Upgrade Your Enrollment For { $course }.
title-pay-and-verify-payment-confirmation = Receipt For { $course }
title-pay-and-verify-verify-now = Verify For { $course }
title-pay-and-verify-verify-later = Verify For { $course }
title-pay-and-verify-first-time-verify = Enroll In { $course }
title-missed-deadline-verification = Verification Deadline Has Passed
title-missed-deadline-upgrade = Upgrade Deadline Has Passed
title-reverify = Verify your identity again
title-reverify-not-allowed = You are already verified
title-incourse-reverify = Re-Verify for { $course }
title-embargo-blocked = Not available in your country
title-submission-status = Your verification

## Steps

step-intro-step = Intro
step-make-payment-step = Make payment
step-payment-confirmation-step = Payment confirmation
step-face-photo-step = Take photo
step-id-photo-step = Take a photo of your ID
step-review-photos-step = Review your info
step-enrollment-confirmation-step = Enrollment confirmation
step-reverify-success-step = Confirmation

## What is needed

intro-heading = How verification works
intro-lead = To earn a certificate in { $course }, show that it is you who takes the course: with a photo of your face and one of an ID.
intro-paid = Thank you for your payment. What is left is to verify your identity for { $course }.
needs-heading = What you need
needs-id = A photo ID
needs-id-more = A passport, driving licence, national ID card or student card that shows your name and your face.
needs-camera = A camera
needs-camera-more = The one in your computer or phone. You can also upload photos that you have taken elsewhere.
needs-time = About three minutes
needs-time-more = You see each photo before it is sent, and can take it again as often as you like.
activate-title = Activate your account first
activate-more = We have sent you an email with a link. Follow it, then load this page again. If it is not in your inbox, look into the spam folder.

## Payment

payment-heading = Pay for your certificate
payment-heading-upgrade = Upgrade your enrollment
product-verified = Verified Certificate
product-verified-upgrade = Upgrade to a Verified Certificate
product-professional = Professional Education Verified Certificate
product-no-id-professional = Professional Education
payment-declined = The payment was declined and you have not been charged. Try again, or pay another way.
payment-cancelled = You came back without paying. Nothing was charged.
payment-no-id = You need no ID for this course.
payment-verified-until = Your identity is already verified until { $date }. You need not do it again before.
payment-checkout = Checkout
payment-checkout-with = Checkout with { $processor }
payment-none = All payment options are currently unavailable.
payment-none-more = Try the transaction again in a few minutes.
payment-leave = You pay on the page of the payment service and come back here afterwards.
confirmation-heading = Your payment
confirmation-verify = Next, verify your identity
confirmation-verify-more = It takes about three minutes. Without it we can't give you a verified certificate.
verify-later = Verify later
order-number = Order
order-date = Date
order-billed-to = Billed to
order-item = Item
order-amount = Amount
order-total = Total
order-refunded = This order has been refunded.

## Photos

camera-picture = What your camera sees
camera-open = Use my camera
camera-shoot = Take the photo
camera-choice = Camera
photo-of-face = The photo of your face
photo-of-photo-id = The photo of your ID
photo-check = Look at it closely:
photo-use = Use this photo
photo-retake = Take it again
photo-upload = Upload a photo
photo-formats = Uploads: JPEG, PNG or WebP. Nothing is sent before you confirm.
face-heading = Take a photo of your face
face-lead = We compare it with the photo on your ID.
face-lead-in-course = We compare it with the ID that you have shown before.
face-tip-light = Face a window or a lamp; avoid bright light behind you.
face-tip-whole = Look straight ahead, and fit your whole face into the oval.
face-tip-glasses = Take off sunglasses, hats and masks. What you wear for your faith or your health may stay on.
face-question-sharp = Is your face sharp and well lit?
face-question-whole = Can you see all of your face, from forehead to chin?
id-heading = Take a photo of your ID
id-lead = Use an ID that shows your name, and your face as it looks today.
id-tip-kind = Lay it on a dark, plain surface, or hold it by its edges.
id-tip-glare = Tilt it a little until no light is reflected.
id-tip-whole = Fill the frame, and keep all four corners in the picture.
id-question-name = Can you read your name?
id-question-face = Can you recognize the face on the ID?
id-question-whole = Are all four corners visible, and is nothing covered?
privacy = What happens with my photos?
privacy-more = They are encrypted, and used only to check that you are the person on your ID. Until you send them they stay in this browser, for one day at most.

## Review and sending

review-heading = Check before you send
review-lead = These two photos and your name are what we compare.
review-face = Your face
review-id = Your ID
review-change-face = Change this photo
review-change-id = Change this photo
review-name = The name on your ID must be
review-no-name = Your account has no name yet. Enter it as it stands on your ID.
review-change-name = My name on the ID is different
review-new-name = Your name as it stands on your ID
review-new-name-hint = This also becomes the name of your account.
submit = Send for verification
sending = Sending

## Afterwards

sent-heading = We have your photos
sent-enrolled = You are enrolled in { $course }.
receipt-number = Reference number:
may-close = This page keeps itself up to date. You may also close it: we write to you when the check is done.

## Verifying again

reverify-denied = Your last photos could not be accepted:
reverify-expired = Your verification has expired. Take new photos to renew it.
reverify-pending = Your photos are being checked, and there is nothing that you need to do. Send new ones only if something was wrong with them.
reverify-soon = You are verified, but not for much longer. Renew it now with new photos.
blocked-verified = Your identity is verified. There is nothing that you need to do.
blocked-until = Your verification is valid until { $date }.
course = Course
checkpoint = Checkpoint
attempts = Attempts
attempts-used = { $used } of { $allowed } used
due = Due
checkpoint-closed = The time for this checkpoint has passed
checkpoint-closed-more = You can still send photos, but the course may not count them any more.
missed-verification = The verification deadline for { $course } was { $deadline }.
missed-upgrade = The deadline to upgrade to a verified certificate for this course has passed.
missed-more = You can still see your courses on the dashboard.
embargo-enrollment = You can't enroll in this course from the country or region you are in.
embargo-courseware = You can't open this course from the country or region you are in.
embargo-law = The law does not allow us to offer it there.
embargo-more = If you think that this is a mistake, for instance because you use a VPN, switch it off and try again, or write to us.

## Script: steps, camera, photos

js-where = Step { $step } of { $steps }
js-camera-allow = Your browser asks whether it may use the camera. Choose “Allow”.
js-camera-ready = The camera is on. Take the photo when you are ready.
js-camera-paused = The camera was switched off while you were away. Switch it on again when you are ready.
js-camera-again = Try the camera again
js-camera-or-upload = Or upload a photo, for instance one that you have taken with your phone.
js-camera-denied = The camera is blocked
js-camera-denied-next = Click the camera or lock symbol beside the page's address, allow the camera, and try again.
js-camera-none = No camera was found
js-camera-none-next = Plug one in and try again, or open this page on a phone.
js-camera-busy = The camera can't be started
js-camera-busy-next = Close other programs and tabs that may use it, such as video calls, and try again.
js-camera-strict = This camera does not fit
js-camera-strict-next = Try again with another camera.
js-camera-insecure = This browser does not let the page use a camera
js-camera-insecure-next = Open the page in Chrome, Edge, Firefox or Safari, not inside another app, and make sure that the address begins with https.
js-camera-ended = The camera was unplugged or switched off
js-camera-ended-next = Connect it again and try again.
js-live-good = Looks good. Hold still and take the photo.
js-live-dark = Too dark: turn on a light, or face a window.
js-live-bright = Too bright: move away from the light.
js-live-blurry = Not sharp: hold still, and wipe the lens.
js-live-small = This camera has a low resolution: come nearer, or upload a photo.
js-photo-dark = This photo is too dark.
js-photo-bright = This photo is too bright.
js-photo-blurry = This photo is not sharp.
js-photo-small = This photo has too few pixels to compare.
js-warned-1 = Please take it again, or upload another.
js-warned-2 = Please take it once more. We accept the next one as it is.
js-photo-passed = It is not perfect, but we accept it. Use it, or take it again if you can do better.
js-photo-taken = The photo is taken.
js-file-wrong = This file can't be used
js-file-wrong-next = Choose a photo in the format JPEG, PNG or WebP. If it comes from a phone, a screenshot of it works, too.

## Script: sending

js-sending = Sending: { $percent } %
js-send-again = The connection was lost. Trying again in { $seconds } s. Your photos are safe.
js-send-lost = There is no connection
js-send-lost-next = Nothing is lost: your photos are kept in this browser. Check your connection and send again.
js-send-failed = Could not submit photos
js-send-failed-next = An error has occurred. Please try again later.
js-signed-out = You are no longer signed in
js-signed-out-next = Sign in again in another tab, then come back and send. Your photos are kept here.

## Script: status

js-status-pending = Your photos are being checked
js-status-pending-more = This can take from a few minutes to a few days. There is nothing you need to do.
js-status-approved = You are verified
js-status-approved-more = There is nothing more that you need to do.
js-status-until = Your verification is valid until
js-status-must_reverify = Your photos could not be accepted
js-status-must_reverify-more = This is why, and what you can do about it:
js-status-expired = Your verification has expired
js-status-expired-more = Take new photos to renew it.
js-status-none = There is no verification yet
js-status-none-more = Nothing has been sent, or it is still being taken in.

## Script: payment

js-payment-starting = One moment: we take you to the payment.
js-payment-failed = Could not submit order
js-payment-failed-next = An error has occurred. Please try again.
js-no-receipt = There is no receipt to show here.
js-receipt-failed = Error
js-receipt-failed-next = Could not retrieve payment information
