# Die Texte der Seiten, die Lernende sehen. Schlüssel mit `js-` zeigt das Skript.

## Auf jeder Seite

skip-to-content = Zum Inhalt springen
language = Sprache
help = Fragen zu dieser Seite?
to-dashboard = Zu meiner Übersicht
to-course = Zum Kurs
try-again = Neue Fotos aufnehmen
reload = Noch einmal versuchen
back = Zurück
progress = Ihr Fortschritt
next-named = Weiter: { $step }
no-script = Diese Seite nimmt Fotos mit JavaScript auf, und das ist ausgeschaltet. Schalten Sie es in den Einstellungen Ihres Browsers ein und laden Sie die Seite neu, oder öffnen Sie sie in einem anderen Browser.
deadline = Sie müssen bis { $date } verifiziert sein.

## Titel

title-pay-and-verify-upgrade = Anmeldung für { $course } aufwerten
title-pay-and-verify-payment-confirmation = Beleg für { $course }
title-pay-and-verify-verify-now = Verifizierung für { $course }
title-pay-and-verify-verify-later = Verifizierung für { $course }
title-pay-and-verify-first-time-verify = Anmeldung für { $course }
title-missed-deadline-verification = Die Frist für die Verifizierung ist abgelaufen
title-missed-deadline-upgrade = Die Frist für das Zertifikat ist abgelaufen
title-reverify = Identität erneut bestätigen
title-reverify-not-allowed = Sie sind bereits verifiziert
title-incourse-reverify = Erneute Verifizierung für { $course }
title-embargo-blocked = In Ihrem Land nicht verfügbar
title-submission-status = Ihre Verifizierung

## Schritte

step-intro-step = Einführung
step-make-payment-step = Bezahlen
step-payment-confirmation-step = Zahlungsbestätigung
step-face-photo-step = Foto aufnehmen
step-id-photo-step = Ausweis fotografieren
step-review-photos-step = Angaben prüfen
step-enrollment-confirmation-step = Bestätigung der Anmeldung
step-reverify-success-step = Bestätigung

## Was gebraucht wird

intro-heading = So läuft die Verifizierung ab
intro-lead = Für ein Zertifikat in { $course } zeigen Sie, dass Sie selbst teilnehmen: mit einem Foto Ihres Gesichts und einem Ihres Ausweises.
intro-paid = Vielen Dank für Ihre Zahlung. Jetzt müssen Sie nur noch Ihre Identität für { $course } bestätigen.
needs-heading = Was Sie brauchen
needs-id = Einen Ausweis mit Foto
needs-id-more = Reisepass, Führerschein, Personalausweis oder Studentenausweis mit Ihrem Namen und Ihrem Gesicht.
needs-camera = Eine Kamera
needs-camera-more = Die in Ihrem Computer oder Telefon. Sie können auch Fotos hochladen, die Sie anderswo aufgenommen haben.
needs-time = Etwa drei Minuten
needs-time-more = Sie sehen jedes Foto, bevor es gesendet wird, und können es beliebig oft neu aufnehmen.
activate-title = Aktivieren Sie zuerst Ihr Konto
activate-more = Wir haben Ihnen eine E-Mail mit einem Link geschickt. Folgen Sie ihm und laden Sie diese Seite neu. Falls Sie die E-Mail nicht finden, sehen Sie im Spam-Ordner nach.

## Bezahlen

payment-heading = Zertifikat bezahlen
payment-heading-upgrade = Anmeldung aufwerten
product-verified = Verifiziertes Zertifikat
product-verified-upgrade = Aufwertung zum verifizierten Zertifikat
product-professional = Verifiziertes Zertifikat für berufliche Weiterbildung
product-no-id-professional = Berufliche Weiterbildung
payment-declined = Die Zahlung wurde abgelehnt, und es wurde nichts abgebucht. Versuchen Sie es noch einmal oder bezahlen Sie anders.
payment-cancelled = Sie sind zurückgekommen, ohne zu bezahlen. Es wurde nichts abgebucht.
payment-no-id = Für diesen Kurs brauchen Sie keinen Ausweis.
payment-verified-until = Ihre Identität ist bereits bis { $date } verifiziert. Bis dahin müssen Sie das nicht wiederholen.
payment-checkout = Bezahlen
payment-checkout-with = Bezahlen mit { $processor }
payment-none = Zurzeit steht keine Zahlungsart zur Verfügung.
payment-none-more = Versuchen Sie es in einigen Minuten noch einmal.
payment-leave = Sie bezahlen auf der Seite des Zahlungsdienstes und kommen danach hierher zurück.
confirmation-heading = Ihre Zahlung
confirmation-verify = Bestätigen Sie jetzt Ihre Identität
confirmation-verify-more = Das dauert etwa drei Minuten. Ohne diesen Schritt können wir kein verifiziertes Zertifikat ausstellen.
verify-later = Später verifizieren
order-number = Bestellung
order-date = Datum
order-billed-to = Rechnung an
order-item = Posten
order-amount = Betrag
order-total = Summe
order-refunded = Diese Bestellung wurde erstattet.

## Fotos

camera-picture = Das Bild Ihrer Kamera
camera-open = Meine Kamera verwenden
camera-shoot = Foto aufnehmen
camera-choice = Kamera
photo-of-face = Das Foto Ihres Gesichts
photo-of-photo-id = Das Foto Ihres Ausweises
photo-check = Sehen Sie genau hin:
photo-use = Dieses Foto verwenden
photo-retake = Neu aufnehmen
photo-upload = Foto hochladen
photo-formats = Zum Hochladen: JPEG, PNG oder WebP. Nichts wird gesendet, bevor Sie es bestätigen.
face-heading = Fotografieren Sie Ihr Gesicht
face-lead = Wir vergleichen es mit dem Foto auf Ihrem Ausweis.
face-lead-in-course = Wir vergleichen es mit dem Ausweis, den Sie schon gezeigt haben.
face-tip-light = Wenden Sie sich einem Fenster oder einer Lampe zu; helles Licht hinter Ihnen stört.
face-tip-whole = Schauen Sie geradeaus, das ganze Gesicht im Oval.
face-tip-glasses = Nehmen Sie Sonnenbrille, Hut und Maske ab. Was Sie aus Glaubens- oder Gesundheitsgründen tragen, darf bleiben.
face-question-sharp = Ist Ihr Gesicht scharf und gut beleuchtet?
face-question-whole = Ist es ganz zu sehen, von der Stirn bis zum Kinn?
id-heading = Fotografieren Sie Ihren Ausweis
id-lead = Nehmen Sie einen Ausweis mit Ihrem Namen und Ihrem Gesicht, wie es heute aussieht.
id-tip-kind = Legen Sie ihn auf eine dunkle, einfarbige Fläche, oder halten Sie ihn am Rand.
id-tip-glare = Neigen Sie ihn ein wenig, bis sich kein Licht mehr spiegelt.
id-tip-whole = Füllen Sie den Rahmen; alle vier Ecken müssen im Bild sein.
id-question-name = Können Sie Ihren Namen lesen?
id-question-face = Ist das Gesicht auf dem Ausweis zu erkennen?
id-question-whole = Sind alle vier Ecken zu sehen, und ist nichts verdeckt?
privacy = Was geschieht mit meinen Fotos?
privacy-more = Sie werden verschlüsselt und dienen nur dazu, Sie mit Ihrem Ausweis zu vergleichen. Bis Sie sie senden, bleiben sie in diesem Browser, höchstens einen Tag lang.

## Prüfen und senden

review-heading = Prüfen Sie alles, bevor Sie senden
review-lead = Diese beiden Fotos und Ihren Namen vergleichen wir.
review-face = Ihr Gesicht
review-id = Ihr Ausweis
review-change-face = Dieses Foto ändern
review-change-id = Dieses Foto ändern
review-name = Auf Ihrem Ausweis muss dieser Name stehen:
review-no-name = Ihr Konto hat noch keinen Namen. Geben Sie ihn so ein, wie er auf dem Ausweis steht.
review-change-name = Auf dem Ausweis steht ein anderer Name
review-new-name = Ihr Name, wie er auf dem Ausweis steht
review-new-name-hint = So heißt dann auch Ihr Konto.
submit = Zur Prüfung senden
sending = Senden

## Danach

sent-heading = Wir haben Ihre Fotos
sent-enrolled = Sie sind für { $course } angemeldet.
receipt-number = Vorgangsnummer:
may-close = Diese Seite aktualisiert sich selbst. Sie können sie auch schließen: Wir schreiben Ihnen, wenn die Prüfung fertig ist.

## Erneute Verifizierung

reverify-denied = Ihre letzten Fotos konnten nicht angenommen werden:
reverify-expired = Ihre Verifizierung ist abgelaufen. Nehmen Sie neue Fotos auf, um sie zu erneuern.
reverify-pending = Ihre Fotos werden geprüft; Sie müssen nichts tun. Senden Sie nur dann neue, wenn mit ihnen etwas nicht stimmte.
reverify-soon = Sie sind verifiziert, aber nicht mehr lange. Erneuern Sie die Verifizierung jetzt mit neuen Fotos.
blocked-verified = Ihre Identität ist bestätigt. Sie müssen nichts weiter tun.
blocked-until = Ihre Verifizierung gilt bis { $date }.
course = Kurs
checkpoint = Kontrollpunkt
attempts = Versuche
attempts-used = { $used } von { $allowed } verwendet
due = Frist
checkpoint-closed = Die Frist dieses Kontrollpunkts ist abgelaufen
checkpoint-closed-more = Sie können noch Fotos senden, doch der Kurs berücksichtigt sie vielleicht nicht mehr.
missed-verification = Die Frist für die Verifizierung in { $course } war { $deadline }.
missed-upgrade = Die Frist für die Aufwertung zum verifizierten Zertifikat in diesem Kurs ist abgelaufen.
missed-more = Ihre Kurse finden Sie weiterhin in der Übersicht.
embargo-enrollment = Aus dem Land oder der Region, in der Sie sind, können Sie sich für diesen Kurs nicht anmelden.
embargo-courseware = Aus dem Land oder der Region, in der Sie sind, können Sie diesen Kurs nicht öffnen.
embargo-law = Das Gesetz erlaubt uns nicht, ihn dort anzubieten.
embargo-more = Wenn das ein Irrtum ist, etwa weil Sie ein VPN verwenden, schalten Sie es ab und versuchen Sie es noch einmal, oder schreiben Sie uns.

## Skript: Schritte, Kamera, Fotos

js-where = Schritt { $step } von { $steps }
js-camera-allow = Ihr Browser fragt, ob er die Kamera verwenden darf. Wählen Sie „Zulassen“.
js-camera-ready = Die Kamera ist an. Nehmen Sie das Foto auf, wenn Sie bereit sind.
js-camera-paused = Die Kamera wurde ausgeschaltet, während Sie weg waren. Schalten Sie sie wieder ein, wenn Sie bereit sind.
js-camera-again = Kamera noch einmal versuchen
js-camera-or-upload = Oder laden Sie ein Foto hoch, etwa eines von Ihrem Telefon.
js-camera-denied = Die Kamera ist gesperrt
js-camera-denied-next = Klicken Sie neben der Adresse der Seite auf das Zeichen für Kamera oder Schloss, erlauben Sie die Kamera, und versuchen Sie es noch einmal.
js-camera-none = Es wurde keine Kamera gefunden
js-camera-none-next = Schließen Sie eine an und versuchen Sie es noch einmal, oder öffnen Sie diese Seite auf einem Telefon.
js-camera-busy = Die Kamera lässt sich nicht einschalten
js-camera-busy-next = Schließen Sie andere Programme und Tabs, die sie verwenden könnten, etwa Videogespräche, und versuchen Sie es noch einmal.
js-camera-strict = Diese Kamera eignet sich nicht
js-camera-strict-next = Versuchen Sie es mit einer anderen Kamera.
js-camera-insecure = Dieser Browser lässt die Seite keine Kamera verwenden
js-camera-insecure-next = Öffnen Sie die Seite in Chrome, Edge, Firefox oder Safari und nicht in einer anderen App; die Adresse muss mit https beginnen.
js-camera-ended = Die Kamera wurde getrennt oder ausgeschaltet
js-camera-ended-next = Schließen Sie sie wieder an und versuchen Sie es noch einmal.
js-live-good = Das sieht gut aus. Halten Sie still und nehmen Sie das Foto auf.
js-live-dark = Zu dunkel: Machen Sie Licht, oder wenden Sie sich einem Fenster zu.
js-live-bright = Zu hell: Gehen Sie aus dem Licht.
js-live-blurry = Unscharf: Halten Sie still, und wischen Sie die Linse ab.
js-live-small = Diese Kamera hat wenig Auflösung: Gehen Sie näher heran, oder laden Sie ein Foto hoch.
js-photo-dark = Dieses Foto ist zu dunkel.
js-photo-bright = Dieses Foto ist zu hell.
js-photo-blurry = Dieses Foto ist unscharf.
js-photo-small = Dieses Foto hat zu wenige Bildpunkte für den Vergleich.
js-warned-1 = Bitte nehmen Sie es neu auf, oder laden Sie ein anderes hoch.
js-warned-2 = Bitte nehmen Sie es noch einmal auf. Das nächste nehmen wir, wie es ist.
js-photo-passed = Es ist nicht vollkommen, aber wir nehmen es an. Verwenden Sie es, oder nehmen Sie es neu auf, wenn es besser geht.
js-photo-taken = Das Foto ist aufgenommen.
js-file-wrong = Diese Datei ist nicht verwendbar
js-file-wrong-next = Wählen Sie ein Foto im Format JPEG, PNG oder WebP. Kommt es von einem Telefon, genügt auch ein Bildschirmfoto davon.

## Skript: Senden

js-sending = Senden: { $percent } %
js-send-again = Die Verbindung ist abgerissen. Neuer Versuch in { $seconds } s. Ihre Fotos sind sicher.
js-send-lost = Es besteht keine Verbindung
js-send-lost-next = Nichts ist verloren: Ihre Fotos bleiben in diesem Browser. Prüfen Sie die Verbindung und senden Sie noch einmal.
js-send-failed = Die Fotos konnten nicht gesendet werden
js-send-failed-next = Ein Fehler ist aufgetreten. Bitte versuchen Sie es später noch einmal.
js-signed-out = Sie sind nicht mehr angemeldet
js-signed-out-next = Melden Sie sich in einem anderen Tab wieder an, kommen Sie zurück und senden Sie. Ihre Fotos bleiben hier.

## Skript: Stand

js-status-pending = Ihre Fotos werden geprüft
js-status-pending-more = Das dauert einige Minuten bis einige Tage. Sie müssen nichts tun.
js-status-approved = Sie sind verifiziert
js-status-approved-more = Sie müssen nichts weiter tun.
js-status-until = Ihre Verifizierung gilt bis zum
js-status-must_reverify = Ihre Fotos konnten nicht angenommen werden
js-status-must_reverify-more = Das ist der Grund, und das können Sie tun:
js-status-expired = Ihre Verifizierung ist abgelaufen
js-status-expired-more = Nehmen Sie neue Fotos auf, um sie zu erneuern.
js-status-none = Es gibt noch keine Verifizierung
js-status-none-more = Es wurde nichts gesendet, oder es wird noch aufgenommen.

## Skript: Bezahlen

js-payment-starting = Einen Moment: Wir bringen Sie zur Zahlung.
js-payment-failed = Die Bestellung konnte nicht abgeschickt werden
js-payment-failed-next = Ein Fehler ist aufgetreten. Bitte versuchen Sie es noch einmal.
js-no-receipt = Hier ist kein Beleg zu zeigen.
js-receipt-failed = Fehler
js-receipt-failed-next = Die Angaben zur Zahlung konnten nicht abgerufen werden.
