"""Which lines of crisp's and talon's mails are the sender's signature, read by us; line numbers, the first is 1.

Where talon's set tells itself (marked lines, signatures as files), those are taken. A mail that is not named
here has none. The mails themselves are not ours and stay where they are."""

#: crisp: file -> lines.
CRISP: dict[str, tuple[int, ...]] = {
    "correct_sig.txt": (3, 4),
    "email_1.txt": (7, 10, 11, 12, 13),
    "email_3.txt": (5, 52, 53, 54, 55),
    "email_2.txt": (48, 49, 50, 51),
    "email_7.txt": (26, 28, 30, 31, 33, 34, 36, 37, 39, 40, 41),
    "email_15.txt": (7,),
    "email_19.txt": (3,),
    "email_blackberry.txt": (3,),
    "email_bullets.txt": (20, 22),
    "email_custom_quote_header.txt": (15, 16, 17),
    "email_emoji.txt": (3, 4, 5, 7),
    "email_german_3.txt": (7,),
    "email_ios_outlook.txt": (7,),
    "email_ios_outlook_fr.txt": (7,),
    "email_iphone.txt": (3,),
    "email_multi_word_sent_from_my_mobile_device.txt": (3,),
    "email_not_a_signature.txt": (15, 16),
    "email_reply_header.txt": (11, 28, 29),
    "email_sent_from.txt": (3,),
    "email_tricky_11_double_signature.txt": (3, 4, 6, 7, 8, 9, 11),
    "email_tricky_16_unicode_signatures.txt": (3, 4, 6, 7, 8, 9, 10),
    "email_tricky_2_url_with_wrote.txt": (7, 8),
    "email_with_regards.txt": (7, 9, 10),
    "sig_no_empty_line.txt": (2, 3),
}
#: talon, where no file of the set says it: file -> the lines themselves.
TALON: dict[str, tuple[str, ...]] = {
    "signature/emails/P/unicode_msg": ("С уважением,", "Сергей Обухов"),  # noqa: RUF001
    "standard_replies/iphone.eml": ("Sent from my iPhone",),
    "standard_replies/sparrow.eml": ("--", "xxx", "Sent with Sparrow (http://www.sparrowmailapp.com/?sig)"),
}
