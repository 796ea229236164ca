"""What looks too private for a shared CRM: codes for signing in, personnel matters, lawyers' letters (F9), and the
phrases that people name themselves. Pure and linear. Says which kind it is, never the words."""

import re
import unicodedata
from collections.abc import Iterable

from sync.envelope import Envelope
from sync.reasons import Rule, Verdict, verdict

#: Of a text, in characters from its beginning: a code for signing in is never far down.
_LOOKED_AT = 3_000
_NO_WORD = re.compile(r"[\W_]+")
#: RFC 2156, 5.3.4. Outlook writes what somebody chose under "Sensitivity" (learn.microsoft.com, OlSensitivity).
_MARKS = frozenset({"personal", "private", "company-confidential", "company confidential"})


def _phrases(*lines: str) -> tuple[str, ...]:
    return tuple(f" {words(phrase)} " for line in lines for phrase in line.split(", "))


def words(text: str) -> str:
    """`text` as it is compared: compatibility forms and case folded, one space for all that is no letter or digit."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


_CODE_WORDS = _phrases(
    "verification code, security code, confirmation code, authentication code, login code, log in code, sign in code",
    "one time code, one time password, one time passcode, otp, two factor code, 2fa code",
    "bestätigungscode, sicherheitscode, verifizierungscode, anmeldecode, einmalpasswort, einmalcode",
    "code de vérification, code de sécurité, code de confirmation, code de connexion, mot de passe à usage unique",
    "código de verificación, código de seguridad, código de confirmación, contraseña de un solo uso",
    "codice di verifica, codice di sicurezza, codice di conferma, verificatiecode, beveiligingscode",
)
#: In a text these are a meeting's, as often as not.
_CODE_WORDS_OF_SUBJECTS = _CODE_WORDS + _phrases("passcode, access code, zugangscode, código de acceso")
_PASSWORD_WORDS = _phrases(
    "reset your password, password reset request, your password reset, your temporary password",
    "passwort zurücksetzen, ihr neues passwort, ihr temporäres passwort",
    "réinitialisez votre mot de passe, réinitialisation de votre mot de passe",
    "restablece tu contraseña, restablecer su contraseña, restablecer tu contraseña",
    "reimposta la password, wachtwoord opnieuw instellen",
)
_WHOSE = _phrases("your, ihr, dein, votre, ton, tu, su, il tuo, je, uw")
_PERSONNEL = _phrases(
    "payslip, payslips, pay slip, pay stub, salary statement, salary review, your salary, my salary",
    "performance review, performance improvement plan, disciplinary hearing, disciplinary action, written warning",
    "termination of employment, employment termination, letter of resignation, resignation letter, my resignation",
    "sick leave, sick note, medical leave, medical certificate, maternity leave, paternity leave, parental leave",
    "gehaltsabrechnung, lohnabrechnung, verdienstabrechnung, gehaltserhöhung, abmahnung, krankmeldung",
    "krankschreibung, arbeitsunfähigkeitsbescheinigung, mutterschutz, elternzeit, aufhebungsvertrag",
    "kündigung des arbeitsverhältnisses, bulletin de paie, bulletin de salaire, fiche de paie, arrêt maladie",
    "arrêt de travail, congé maternité, congé parental, lettre de licenciement, lettre de démission",
    "recibo de nómina, baja médica, baja por maternidad, carta de despido, carta de renuncia",
)
_LEGAL = _phrases(
    "attorney client privilege, attorney client privileged, attorney client communication, attorney work product",
    "privileged and confidential, privileged confidential, confidential and privileged, legally privileged",
    "legal privilege, solicitor client privilege, without prejudice, subject to legal privilege",
    "anwaltskorrespondenz, anwaltsgeheimnis, verteidigerpost, mandatsgeheimnis",
    "secret professionnel, correspondance avocat, confidentiel avocat, secreto profesional, segreto professionale",
)
_SIX_DIGITS = re.compile(r" (?:[a-z] )?\d{4,8} ")
#: The code stands right before or behind what it is called.
_BESIDE = 60


def by_its_headers(envelope: Envelope, phrases: Iterable[str], *, may_be_sensitive: bool) -> Verdict | None:
    """Why the message stays private, or None. `phrases`: of subjects, or whole addresses, or "@" and a domain.

    `may_be_sensitive`: what is marked as private, or looks it, is let through; what the phrases name is not."""
    if _is_named(envelope, phrases):
        return verdict(Rule.PRIVATE_PHRASE)
    if may_be_sensitive:
        return None
    return verdict(Rule.MARKED_PRIVATE) if envelope.sensitivity in _MARKS else _by_its_subject(envelope.subject)


def by_its_text(text: str) -> Verdict | None:
    """The same for what a message says, which only codes for signing in are looked for in: disclaimers under business
    letters are full of lawyers' words."""
    padded = f" {words(text[:_LOOKED_AT])} "
    return verdict(Rule.SIGN_IN_CODE) if any(_has_code_beside(padded, phrase) for phrase in _CODE_WORDS) else None


def _by_its_subject(subject: str) -> Verdict | None:
    padded = f" {words(subject)} "
    if _has(padded, _PASSWORD_WORDS) or (_has(padded, _CODE_WORDS_OF_SUBJECTS) and _is_a_code(padded)):
        return verdict(Rule.SIGN_IN_CODE)
    if _has(padded, _PERSONNEL):
        return verdict(Rule.PERSONNEL)
    return verdict(Rule.LEGAL) if _has(padded, _LEGAL) else None


def _is_a_code(padded: str) -> bool:
    """Whether it is somebody's own code, rather than a talk about codes."""
    return bool(_SIX_DIGITS.search(padded)) or _has(padded, _WHOSE)


def _has(padded: str, phrases: Iterable[str]) -> bool:
    return any(phrase in padded for phrase in phrases)


def _has_code_beside(padded: str, phrase: str) -> bool:
    at = padded.find(phrase)
    while at >= 0:
        if _SIX_DIGITS.search(padded, max(0, at - _BESIDE), at + len(phrase) + _BESIDE):
            return True
        at = padded.find(phrase, at + 1)
    return False


def _is_named(envelope: Envelope, phrases: Iterable[str]) -> bool:
    padded = f" {words(envelope.subject)} "
    addresses = {party.address for party in envelope.parties} | {f"@{party.domain}" for party in envelope.parties}
    return any(phrase in addresses if "@" in phrase else _says(padded, phrase) for phrase in phrases)


def _says(padded: str, phrase: str) -> bool:
    """Whole words; anywhere in scripts that put no spaces between words."""
    sought = words(phrase)
    if any(unicodedata.category(char) == "Lo" for char in sought):
        return sought in padded
    return bool(sought) and f" {sought} " in padded
