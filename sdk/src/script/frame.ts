// How frames of a stack that are ours and not the author's are known: the wrappers round functions are named so.

/** A line of a stack that belongs to a wrapper. */
export const OWN_FRAME = /^\s*at \$call\d* /;
