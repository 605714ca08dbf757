"""Answer the phone: `flask --app app run`, with https://you/voice as the webhook at Twilio."""

from flask import Flask, Response, request
from flask_sock import Sock

from soniox_sync import Conversation, SonioxClient
from soniox_sync.telephony import TwilioCall

app, client = Flask(__name__), SonioxClient()  # reads SONIOX_API_KEY
sock = Sock(app)


def reply(text: str, conversation: Conversation) -> str:
    return f"You said: {text} Interrupt me at any time, as I listen while I speak."


@app.post("/voice")
def voice() -> Response:
    twiml = f'<Response><Connect><Stream url="wss://{request.host}/media"/></Connect></Response>'
    return Response(twiml, mimetype="text/xml")


@sock.route("/media")
def media(socket: object) -> None:
    call = TwilioCall(socket)
    with client.realtime.converse(call, reply, call, voice="Nina") as conversation:
        conversation.say("Hello! What can I do for you?")
        for turn in conversation:
            print(turn)
