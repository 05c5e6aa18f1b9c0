// Texts to begin with, about the default corpus.
export const EXAMPLES = {
  chat: [
    "Who are you?",
    "Rewrite the sentence in the past tense.\nThe fox eats a rabbit.",
    "Sum up the story in one sentence.\nAnna fell into the river and could not swim. " +
      "Tom heard her shout, took a rope and pulled her out.",
    "What does the owl eat?",
  ],
  spam: [
    ["A suspicious one", "Your account is locked. To open it, send us the code you just got."],
    ["An ordinary one", "Shall we meet at the station at six? I will bring the tickets."],
  ],
  translate: ["the lion is in the forest", "the small dog sees the red bird"],
  inside: [
    ["A feeling", "Paul won a prize. That is why Paul was"],
    ["A fact", "Look at the frog: it is"],
    ["Who of two", "Anna lost her ring. Anna was sad. Tom won a prize. The one who was sad was"],
  ],
};
