# Why photos were not accepted: what to do about it. The reasons themselves are worded by the domain.
# Faults that our own intake finds say what to do in their own text, and need no advice.

advice-id-missing = Take a photo of your ID as well.
advice-id-name-unreadable = Hold the camera nearer and straight above the ID, without glare on your name.
advice-name-differs = Change the name on the review page to exactly that of your ID, or use an ID with the name of your account.
advice-face-unclear = Find more light, hold still, and wipe the lens.
advice-face-hidden = Look straight into the camera, with your whole face in the oval and nothing covering it.
advice-account-name-missing = Enter your full name on the review page.
advice-faces-differ = Use your own ID with a recent photo, and take the photo of your face without glasses.
advice-id-name-missing = Show the side of the ID that has your name, and don't cover it with your fingers.
advice-id-not-accepted = Use another one: a passport, a driving licence or a national ID card that has not expired.
advice-id-text-missing = Show the side that has your name and your photo, and fill the frame with it.
advice-id-photo-hidden = Show the side with the photo, without fingers or glare on it.
advice-id-unclear = Lay the ID flat, find more light, and hold the camera still.
advice-face-missing = Take a photo of your face as well.
advice-unreadable = Take both photos again. If that does not help, write to us.
