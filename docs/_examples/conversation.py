# The examples of docs/reference/conversation.rst, run in order by tests/test_call_examples.py.
# Given: `client`, and a caller who is source and sink.

# == soniox_sync.realtime.facade.Realtime.converse
def reply(text, conversation):
    return f"You said: {text}"


with client.realtime.converse(caller, reply, caller, voice="Adrian") as conversation:
    conversation.say("Hello!")
    for turn in conversation:
        print(turn.user_text, "->", turn.agent_text_heard)

# == soniox_sync.Conversation.messages
for message in conversation.messages():
    print(message["role"], message["content"])
