"""The commands of `soniox-sync`, one module each; `app.COMMANDS` names them."""
